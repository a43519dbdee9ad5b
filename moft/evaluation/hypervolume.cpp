// Hypervolume and convex-coverage volume.
#include "moft/evaluation/hypervolume.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "moft/core/errors.h"
#include "moft/evaluation/metrics.h"

namespace moft {
namespace {

// The points above the reference in every coordinate, relative to it.
Rows above(const Rows& points, const Row& reference) {
  Rows kept;
  for (const Row& point : points) {
    Row shifted(point.size());
    bool inside = true;
    for (std::size_t i = 0; i < point.size(); ++i) {
      shifted[i] = point[i] - reference[i];
      inside = inside && shifted[i] > 0;
    }
    if (inside) kept.push_back(std::move(shifted));
  }
  return kept;
}

Rows non_dominated(const Rows& points) {
  Rows kept;
  for (const std::size_t k : pareto_front(points))
    kept.push_back(points[k]);
  return kept;
}

// Area of the union of boxes [0, p] in two dimensions: one sweep.
double staircase_area(Rows points) {
  std::sort(points.begin(), points.end(), [](const Row& a, const Row& b) {
    return a[0] != b[0] ? a[0] > b[0] : a[1] > b[1];
  });
  double area = 0;
  double height = 0;
  for (const Row& p : points) {
    if (p[1] <= height) continue;
    area += p[0] * (p[1] - height);
    height = p[1];
  }
  return area;
}

// Volume of the union of boxes [0, p]: slices along the last coordinate.
double union_volume(Rows points) {
  if (points.empty()) return 0;
  const std::size_t m = points.front().size();
  if (m == 1) return (*std::max_element(points.begin(), points.end()))[0];
  if (m == 2) return staircase_area(std::move(points));
  std::sort(points.begin(), points.end(), [](const Row& a, const Row& b) {
    return a.back() > b.back();
  });
  double volume = 0;
  Rows seen;  // the non-dominated points of the slice, one coordinate less
  for (std::size_t k = 0; k < points.size(); ++k) {
    seen.emplace_back(points[k].begin(), points[k].end() - 1);
    const double next = k + 1 < points.size() ? points[k + 1].back() : 0;
    if (points[k].back() <= next) continue;
    seen = non_dominated(seen);
    volume += (points[k].back() - next) * union_volume(seen);
  }
  return volume;
}

// The points relative to the reference.
Rows shifted(Rows points, const Row& reference) {
  for (Row& point : points) {
    for (std::size_t i = 0; i < point.size(); ++i)
      point[i] -= reference[i];
  }
  return points;
}

// Upper hull from left to right, starting at the top's extension to the left.
Rows upper_hull(Rows points) {
  Row corner = points.front();
  for (const Row& p : points) {
    corner[0] = std::min(corner[0], p[0]);
    corner[1] = std::max(corner[1], p[1]);
  }
  corner[0] = std::min(corner[0], 0.0);
  points.push_back(corner);
  std::sort(points.begin(), points.end(), [](const Row& a, const Row& b) {
    return a[0] != b[0] ? a[0] < b[0] : a[1] > b[1];
  });
  Rows hull;
  for (const Row& p : points) {
    if (!hull.empty() && p[0] == hull.back()[0]) continue;
    while (hull.size() >= 2) {
      const Row& a = hull[hull.size() - 2];
      const Row& b = hull.back();
      const double side =
          (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
      if (side < 0) break;
      hull.pop_back();
    }
    hull.push_back(p);
  }
  return hull;
}

// Area below a falling segment inside the positive quadrant.
double segment_area(double x0, double y0, double x1, double y1) {
  if (x1 <= 0 || y0 <= 0) return 0;
  const double slope = (y1 - y0) / (x1 - x0);
  if (x0 < 0) {
    y0 -= slope * x0;
    x0 = 0;
  }
  if (y0 <= 0) return 0;
  if (y1 < 0) {
    x1 = x0 - y0 / slope;
    y1 = 0;
  }
  return 0.5 * (x1 - x0) * (y0 + y1);
}

// Area of the convex coverage of two-dimensional points.
double coverage_area(Rows points) {
  if (points.empty()) return 0;
  const Rows hull = upper_hull(std::move(points));
  double area = 0;
  for (std::size_t k = 1; k < hull.size(); ++k) {
    area +=
        segment_area(hull[k - 1][0], hull[k - 1][1], hull[k][0], hull[k][1]);
  }
  return area;
}

// The slice at `height` of the convex coverage of three-dimensional points:
// the points above it, and every edge that crosses it.
double slice_area(const Rows& points, double height) {
  Rows slice;
  for (const Row& high : points) {
    if (high[2] < height) continue;
    slice.push_back({high[0], high[1]});
    for (const Row& low : points) {
      if (low[2] >= height) continue;
      const double t = (height - low[2]) / (high[2] - low[2]);
      slice.push_back(
          {low[0] + t * (high[0] - low[0]), low[1] + t * (high[1] - low[1])});
    }
  }
  return coverage_area(std::move(slice));
}

// Signed double area of the triangle 0, a, b in the plane.
double turn(const Row& a, const Row& b) {
  return a[0] * b[1] - a[1] * b[0];
}

// Where the triangle a, b, c passes through the axis x = y = 0.
void axis_crossing(const Row& a, const Row& b, const Row& c, Row& heights) {
  const double whole = turn(a, b) + turn(b, c) + turn(c, a);
  if (whole == 0) return;
  const double at_a = turn(b, c) / whole;
  const double at_b = turn(c, a) / whole;
  const double at_c = turn(a, b) / whole;
  if (at_a < 0 || at_b < 0 || at_c < 0) return;
  heights.push_back(at_a * a[2] + at_b * b[2] + at_c * c[2]);
}

// Heights above 0 at which the coverage's slices may gain or lose a corner:
// the points' own, where an edge passes through the walls x = 0, y = 0, and
// where a face passes through the axis x = y = 0. The highest of the last is
// where the axis leaves the coverage; above it a slice has no area.
Row corner_heights(const Rows& points) {
  Row heights{0};
  for (std::size_t a = 0; a < points.size(); ++a) {
    for (std::size_t b = a + 1; b < points.size(); ++b) {
      for (std::size_t c = b + 1; c < points.size(); ++c)
        axis_crossing(points[a], points[b], points[c], heights);
    }
  }
  // Only the highest crossing is a corner; the others lie inside.
  if (heights.size() > 1)
    heights = {0, *std::max_element(heights.begin(), heights.end())};
  for (const Row& a : points) {
    heights.push_back(a[2]);
    for (const Row& b : points) {
      for (std::size_t wall = 0; wall < 2; ++wall) {
        if (a[wall] >= 0 || b[wall] <= 0) continue;
        const double t = -a[wall] / (b[wall] - a[wall]);
        heights.push_back(a[2] + t * (b[2] - a[2]));
      }
    }
  }
  std::erase_if(heights, [](double h) { return h < 0; });
  std::sort(heights.begin(), heights.end());
  return heights;
}

// Between neighbouring corner heights the area of a slice is a quadratic
// polynomial of the height, so Simpson's rule is exact.
double coverage_volume(const Rows& points) {
  const Row heights = corner_heights(points);
  double volume = 0;
  for (std::size_t k = 1; k < heights.size(); ++k) {
    const double low = heights[k - 1];
    const double high = heights[k];
    if (high - low < 1e-15) continue;
    volume +=
        (high - low) / 6 *
        (slice_area(points, low) + 4 * slice_area(points, 0.5 * (low + high)) +
         slice_area(points, high));
  }
  return volume;
}

}  // namespace

double hypervolume(const Rows& points, const Row& reference) {
  check_rows("hypervolume", points, reference.size());
  return union_volume(non_dominated(above(points, reference)));
}

double hull_hypervolume(const Rows& points, const Row& reference) {
  check_rows("hull_hypervolume", points, reference.size());
  if (points.empty()) return 0;
  const Rows moved = shifted(points, reference);
  switch (reference.size()) {
    case 1:
      return std::max(0.0, (*std::max_element(moved.begin(), moved.end()))[0]);
    case 2:
      return coverage_area(moved);
    case 3:
      return coverage_volume(non_dominated(moved));
    default:
      throw_caller_error(
          "[hull_hypervolume] {} objectives; give at most 3", reference.size());
  }
}

}  // namespace moft
