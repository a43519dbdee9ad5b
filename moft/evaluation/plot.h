// A picture as SVG: axes, lines, bands, marks and labels.
//
// Colours that follow light and dark come from classes (plot_style); colours
// that carry data are given as strings, empty for the class's own. All text is
// escaped here, so callers pass raw text. Coordinates are in pixels from the
// upper left corner, rounded to a tenth.
//
// Thread safety: a Plot belongs to one thread; the functions are pure.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moft {

// ---- Measures, in pixels ---------------------------------------------------

struct PlotMargins {
  double left = 58;
  double top = 34;
  double right = 24;
  double bottom = 46;
};
inline constexpr double kNameLine = 16;  // baseline of a name at the top
inline constexpr double kDotRadius = 3.5;
inline constexpr double kLetterWidth = 6.6;  // of the fonts below, on average
// From the middle of a line of text down to its baseline.
inline constexpr double kHalfLetter = 4;

// ---- Data to pixels --------------------------------------------------------

// The smallest range that holds what was added.
struct DataRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double x);
  void add(const std::vector<double>& values);
  bool empty() const { return low > high; }
  // With a little air at both ends; never of width 0. REQUIRES not empty.
  DataRange padded() const;
};

// A linear map from [low, high] to [from, to].
struct Scale {
  double low = 0;
  double high = 1;
  double from = 0;
  double to = 1;

  double operator()(double x) const {
    return from + (x - low) / (high - low) * (to - from);
  }
};

// Round numbers inside [low, high], about `count` of them; the step is 1, 2 or
// 5 times a power of ten.
std::vector<double> nice_ticks(double low, double high, int count = 5);

// ---- Colours of objectives and weightings, as "#rrggbb" ---------------------

// What belongs to the policy but to no objective; the reference policy.
inline constexpr const char* kPolicyColour = "#6a5acd";
inline constexpr const char* kReferenceColour = "#7d8590";

// Colour of objective i: the hues of Okabe and Ito (told apart by all common
// kinds of colour blindness), at a lightness that reads on white and on black.
std::string objective_colour(std::size_t i);

// Mix of the objectives' colours in proportion to the weights, which sum to 1.
std::string weighting_colour(const std::vector<double>& weights);

// ---- Drawing ---------------------------------------------------------------

// CSS of the classes that `kind` names below (plot.css), and the light and dark
// variables they need (plot_variables.css).
std::string_view plot_style();
std::string_view plot_variables();

using PlotPoint = std::pair<double, double>;

// Title and description are for those who cannot see the picture. `id` must be
// unique on the page. A standalone picture carries its own style and
// background.
struct PlotOptions {
  double width = 480;
  double height = 300;
  std::string id;
  std::string title;
  std::string description;
  bool standalone = false;
};

class Plot {
 public:
  explicit Plot(PlotOptions options) : options_(std::move(options)) {}

  void line(
      const std::vector<PlotPoint>& points,
      std::string_view kind,
      std::string_view colour = {});
  void area(
      const std::vector<PlotPoint>& points,
      std::string_view kind,
      std::string_view colour = {});
  // `tooltip` is shown by browsers when the mark is pointed at.
  void dot(
      PlotPoint at,
      double radius,
      std::string_view colour,
      std::string_view tooltip = {});
  // anchor: "start", "middle" or "end".
  void text(
      PlotPoint at,
      std::string_view text,
      std::string_view kind,
      std::string_view anchor = "start");

  // Scales that fill the picture but for the margins.
  Scale across(const DataRange& x, const PlotMargins& margins = {}) const;
  Scale upwards(const DataRange& y, const PlotMargins& margins = {}) const;
  // Grid, numbers and the names of both axes: y's at the top, x's below.
  void axes(
      const Scale& x,
      const Scale& y,
      std::string_view x_name,
      std::string_view y_name);

  std::string str() const;

 private:
  void add(
      std::string_view shape,
      const std::vector<PlotPoint>& points,
      std::string_view kind,
      const std::string& paint);

  PlotOptions options_;
  std::string body_;
};

}  // namespace moft
