// A few words of SVG: enough for axes, lines, bands, marks and labels.
//
// Colours that must follow light and dark come from classes (see svg_style);
// colours that carry data are given as strings. All text is escaped here, so
// callers pass raw text. Coordinates are rounded to a tenth of a unit.
//
// Thread safety: an Svg belongs to one thread; the functions are pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moft {

// Length of the well-formed UTF-8 character at the front; 0 if there is none.
// REQUIRES a text that is not empty.
std::size_t utf8_length(std::string_view text);

// Text for HTML and XML, between tags or inside quotes: the five special
// characters become entities, control characters (other than tab and newline)
// and bytes that are not UTF-8 become U+FFFD.
std::string escape_markup(std::string_view text);

// The text cut to at most `length` characters, the last one an ellipsis.
// Works on whole UTF-8 characters.
std::string shorten(std::string_view text, std::size_t length);

// The number without needless zeros: at most `digits` decimals.
std::string plain_number(double x, int digits = 2);

// Colour of objective i: the hues of Okabe and Ito (told apart by all common
// kinds of colour blindness), at a lightness that reads on white and on black.
std::string objective_colour(std::size_t i);

// Mix of the objectives' colours in proportion to the weights, in OKLab
// (Ottosson, 2020), as "#rrggbb".
std::string weighting_colour(const std::vector<double>& weights);

// CSS of the classes used below, and the light and dark variables they need.
std::string svg_style();
std::string svg_variables();

using SvgPoint = std::pair<double, double>;

class Svg {
 public:
  // Title and description are for those who cannot see the picture.
  // `id` must be unique on the page. A standalone picture carries its own
  // style and background.
  struct Options {
    double width = 480;
    double height = 320;
    std::string id;
    std::string title;
    std::string description;
    bool standalone = false;
  };

  explicit Svg(Options options);

  void line(SvgPoint a, SvgPoint b, std::string_view kind);
  void line(
      SvgPoint a, SvgPoint b, std::string_view kind, std::string_view colour);
  // An open line through the points. `kind` is a class of svg_style.
  void polyline(
      const std::vector<SvgPoint>& points,
      std::string_view kind,
      std::string_view colour = {});
  void polygon(
      const std::vector<SvgPoint>& points,
      std::string_view kind,
      std::string_view colour);
  // `tooltip` is shown by browsers when the mark is pointed at.
  void disc(
      SvgPoint center,
      double radius,
      std::string_view kind,
      std::string_view colour,
      std::string_view tooltip = {});
  void rectangle(
      SvgPoint corner,
      double width,
      double height,
      std::string_view kind,
      std::string_view colour = {});
  // anchor: "start", "middle" or "end"; turned by -90 degrees if `upright` is
  // false.
  void text(
      SvgPoint at,
      std::string_view text,
      std::string_view kind,
      std::string_view anchor = "start",
      bool upright = true);

  std::string str() const;

 private:
  Options options_;
  std::string body_;
};

// Round numbers inside [low, high], about `count` of them; the step is 1, 2 or
// 5 times a power of ten.
std::vector<double> nice_ticks(double low, double high, int count = 5);

// A linear map of data to units of the picture.
struct Scale {
  double low = 0;
  double high = 1;
  double from = 0;
  double to = 1;
  double operator()(double x) const {
    return from + (x - low) / (high - low) * (to - from);
  }
};

// The smallest range that holds [low, high] with a little air; never empty.
std::pair<double, double> padded(double low, double high, double share = 0.06);

}  // namespace moft
