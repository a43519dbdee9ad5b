#include "moft/evaluation/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace moft {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

std::string unit(double x) {
  return plain_number(x, 1);
}

std::string list(const std::vector<SvgPoint>& points) {
  std::string out;
  for (const auto& [x, y] : points) {
    if (!out.empty()) out += ' ';
    out += unit(x) + "," + unit(y);
  }
  return out;
}

std::string paint(std::string_view property, std::string_view colour) {
  if (colour.empty()) return {};
  return fmt::format(" {}=\"{}\"", property, escape_markup(colour));
}

using Colour = std::array<double, 3>;

double to_linear(double c) {
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

double from_linear(double c) {
  c = std::clamp(c, 0.0, 1.0);
  return c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
}

Colour to_oklab(std::uint32_t rgb) {
  const double r = to_linear(((rgb >> 16) & 255) / 255.0);
  const double g = to_linear(((rgb >> 8) & 255) / 255.0);
  const double b = to_linear((rgb & 255) / 255.0);
  const double l =
      std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m =
      std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s =
      std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {
      0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

std::string from_oklab(const Colour& lab) {
  const auto cube = [](double x) { return x * x * x; };
  const double l = cube(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2]);
  const double m = cube(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2]);
  const double s = cube(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2]);
  const auto byte = [](double x) {
    return static_cast<int>(std::lround(255 * from_linear(x)));
  };
  return fmt::format(
      "#{:02x}{:02x}{:02x}",
      byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
      byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
      byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s));
}

constexpr std::array<std::uint32_t, 6> kHues{
    0x2b7bba, 0xd0661a, 0x1a936f, 0xb8609a, 0x3fa2d6, 0xa68a00};

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t k) {
    return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
  };
  const auto tail = [&](std::size_t k) { return (byte(k) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) > 0x9F;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
    const bool tails = tail(1) && tail(2) && tail(3);
    return tails && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

std::string escape_markup(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    const bool control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') ||
        c == 0x7f;
    if (length == 0 || control) {
      out += kReplacement;
    } else if (const std::string_view name = entity(c); !name.empty()) {
      out += name;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string shorten(std::string_view text, std::size_t length) {
  std::vector<std::size_t> starts;
  for (std::size_t k = 0; k < text.size();) {
    starts.push_back(k);
    k += std::max<std::size_t>(utf8_length(text.substr(k)), 1);
  }
  if (starts.size() <= length || length == 0) return std::string(text);
  return std::string(text.substr(0, starts[length - 1])) + "\u2026";
}

std::string plain_number(double x, int digits) {
  std::string out = fmt::format("{:.{}f}", x, digits);
  if (out.find('.') != std::string::npos) {
    while (out.back() == '0')
      out.pop_back();
    if (out.back() == '.') out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

std::string objective_colour(std::size_t i) {
  return fmt::format("#{:06x}", kHues[i % kHues.size()]);
}

std::string weighting_colour(const std::vector<double>& weights) {
  Colour mix{};
  double total = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Colour hue = to_oklab(kHues[i % kHues.size()]);
    for (std::size_t c = 0; c < 3; ++c)
      mix[c] += weights[i] * hue[c];
    total += weights[i];
  }
  if (total > 0) {
    for (double& c : mix)
      c /= total;
  }
  return from_oklab(mix);
}

std::string svg_variables() {
  return R"(:root{--paper:#fff;--ink:#1c1f23;--muted:#5b636d;--grid:#e7e9ec;
--axis:#9aa1aa;--halo:#fff}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e8eb;
--muted:#9da5af;--grid:#2a2f36;--axis:#6a727c;--halo:#15181c}}
)";
}

std::string svg_style() {
  return R"(svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;fill:var(--ink);font-size:12px}
svg .tick{fill:var(--muted);font-size:11px}
svg .note{fill:var(--muted);font-size:11px}
svg .name{font-size:12px;font-weight:600}
svg .mark{font-size:11px;font-weight:600;paint-order:stroke;
stroke:var(--halo);stroke-width:3px;stroke-linejoin:round}
svg .grid{stroke:var(--grid);stroke-width:1}
svg .axis{stroke:var(--axis);stroke-width:1}
svg .whisker{stroke-width:1.4;opacity:.75}
svg .faint{stroke-width:1;opacity:.35}
svg .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg .thin{fill:none;stroke-width:1;opacity:.4}
svg .dashed{fill:none;stroke-width:1.5;stroke-dasharray:5 4}
svg .path{fill:none;stroke:var(--axis);stroke-width:1.2}
svg .band{opacity:.17;stroke:none}
svg .dot{stroke:var(--halo);stroke-width:1.2}
svg .hollow{fill:var(--paper);stroke-width:1.8}
svg .neutral{stroke:var(--muted)}
svg .paper{fill:var(--paper)}
)";
}

Svg::Svg(Options options) : options_(std::move(options)) {}

void Svg::line(SvgPoint a, SvgPoint b, std::string_view kind) {
  line(a, b, kind, {});
}

void Svg::line(
    SvgPoint a, SvgPoint b, std::string_view kind, std::string_view colour) {
  body_ += fmt::format(
      "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"{}/>\n",
      unit(a.first),
      unit(a.second),
      unit(b.first),
      unit(b.second),
      kind,
      paint("stroke", colour));
}

void Svg::polyline(
    const std::vector<SvgPoint>& points,
    std::string_view kind,
    std::string_view colour) {
  body_ += fmt::format(
      "<polyline points=\"{}\" class=\"{}\"{}/>\n",
      list(points),
      kind,
      paint("stroke", colour));
}

void Svg::polygon(
    const std::vector<SvgPoint>& points,
    std::string_view kind,
    std::string_view colour) {
  body_ += fmt::format(
      "<polygon points=\"{}\" class=\"{}\"{}/>\n",
      list(points),
      kind,
      paint(kind == "hollow" ? "stroke" : "fill", colour));
}

void Svg::disc(
    SvgPoint center,
    double radius,
    std::string_view kind,
    std::string_view colour,
    std::string_view tooltip) {
  body_ += fmt::format(
      "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{}\"{}>",
      unit(center.first),
      unit(center.second),
      unit(radius),
      kind,
      paint("fill", colour));
  if (!tooltip.empty()) {
    body_ += "<title>" + escape_markup(tooltip) + "</title>";
  }
  body_ += "</circle>\n";
}

void Svg::rectangle(
    SvgPoint corner,
    double width,
    double height,
    std::string_view kind,
    std::string_view colour) {
  body_ += fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{}\"{}/>\n",
      unit(corner.first),
      unit(corner.second),
      unit(width),
      unit(height),
      kind,
      paint("fill", colour));
}

void Svg::text(
    SvgPoint at,
    std::string_view text,
    std::string_view kind,
    std::string_view anchor,
    bool upright) {
  const std::string turn = upright ? std::string()
                                   : fmt::format(
                                         " transform=\"rotate(-90 {} {})\"",
                                         unit(at.first),
                                         unit(at.second));
  body_ += fmt::format(
      "<text x=\"{}\" y=\"{}\" class=\"{}\" text-anchor=\"{}\"{}>{}</text>\n",
      unit(at.first),
      unit(at.second),
      kind,
      anchor,
      turn,
      escape_markup(text));
}

std::string Svg::str() const {
  const std::string id = escape_markup(options_.id);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-labelledby=\"{2}-title {2}-desc\">\n"
      "<title id=\"{2}-title\">{3}</title>\n"
      "<desc id=\"{2}-desc\">{4}</desc>\n",
      unit(options_.width),
      unit(options_.height),
      id,
      escape_markup(options_.title),
      escape_markup(options_.description));
  if (options_.standalone) {
    out += "<style>" + svg_variables() + svg_style() + "</style>\n";
    out += fmt::format(
        "<rect width=\"{}\" height=\"{}\" class=\"paper\"/>\n",
        unit(options_.width),
        unit(options_.height));
  }
  return out + body_ + "</svg>\n";
}

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double part = rough / power;
  const double step = power * (part < 1.5   ? 1
                               : part < 3.5 ? 2
                               : part < 7.5 ? 5
                                            : 10);
  std::vector<double> ticks;
  const double slack = 1e-9 * step;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack;
       ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  return ticks;
}

std::pair<double, double> padded(double low, double high, double share) {
  const double width = high - low;
  const double air =
      width > 1e-12 ? share * width : std::max(0.05 * std::abs(low), 0.05);
  return {low - air, high + air};
}

}  // namespace moft
