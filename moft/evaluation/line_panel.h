// One small line chart: curves with optional bands, axes, direct labels.
//
// Thread safety: pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace moft {

struct LineSeries {
  std::string name;  // written beside the curve; empty for none
  std::string colour;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> low;   // empty for no band
  std::vector<double> high;  // same size as low
  bool dots = true;
  bool dashed = false;
  bool thin = false;
};

struct LinePanel {
  std::string id;
  std::string title;
  std::string description;
  std::string x_label;
  std::string y_label;
  std::vector<LineSeries> series;
  std::optional<double> x_low;  // otherwise from the data
  std::optional<double> x_high;
};

std::string line_panel_svg(const LinePanel& panel);

}  // namespace moft
