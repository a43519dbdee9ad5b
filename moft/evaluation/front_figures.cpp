// Figures of a front in its values, and of the answer to its knob.
#include "moft/evaluation/front_figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moft/core/errors.h"
#include "moft/evaluation/hypervolume.h"

namespace moft {
namespace {

// What turns an objective up.
double knob_of(
    const FrontPoint& point,
    const std::vector<std::string>& objectives,
    const std::string& objective) {
  return objectives.size() == 1 ? -point.alpha : point.weights.at(objective);
}

// Mean over the points at which the knob has this value.
double mean_at(
    const std::vector<FrontPoint>& points,
    const std::string& objective,
    const Row& knob,
    double place) {
  double sum = 0;
  double count = 0;
  for (std::size_t k = 0; k < points.size(); ++k) {
    if (std::abs(knob[k] - place) > 1e-9) continue;
    sum += points[k].rewards.at(objective).mean;
    count += 1;
  }
  return sum / count;
}

bool one_alpha(const std::vector<FrontPoint>& points) {
  return std::all_of(points.begin(), points.end(), [&](const FrontPoint& p) {
    return p.alpha == points.front().alpha;
  });
}

// Mean rewards along the knob, where the points form a path.
std::optional<Rows> path_of(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives) {
  const std::size_t m = objectives.size();
  if (m > 2 || (m == 2 && !one_alpha(points))) return std::nullopt;
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  const auto knob = [&](std::size_t k) {
    return knob_of(points[k], objectives, objectives.front());
  };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return knob(a) < knob(b);
  });
  Rows path;
  for (const std::size_t k : order) {
    Row& row = path.emplace_back();
    for (const std::string& name : objectives)
      row.push_back(points[k].rewards.at(name).mean);
  }
  return path;
}

}  // namespace

double kendall_tau(const Row& x, const Row& y) {
  if (x.size() != y.size()) {
    throw_caller_error(
        "[kendall_tau] got {} entries beside {}; give the same number of both",
        x.size(),
        y.size());
  }
  check_rows("kendall_tau", {x, y}, x.size());
  double balance = 0, in_x = 0, in_y = 0;
  for (std::size_t a = 0; a < x.size(); ++a) {
    for (std::size_t b = a + 1; b < x.size(); ++b) {
      const int left = (x[a] < x[b]) - (x[a] > x[b]);
      const int right = (y[a] < y[b]) - (y[a] > y[b]);
      balance += left * right;
      in_x += left != 0;
      in_y += right != 0;
    }
  }
  return in_x == 0 || in_y == 0 ? 0 : balance / std::sqrt(in_x * in_y);
}

double largest_step(const Rows& path) {
  if (path.size() < 2) return 1;
  const double whole = front_length({path.front(), path.back()});
  if (whole < kLeastChange) return 1;
  const Row steps = gaps(path);
  return std::min(1.0, *std::max_element(steps.begin(), steps.end()) / whole);
}

Rows value_rows(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives) {
  Rows rows;
  for (const FrontPoint& point : points) {
    Row& row = rows.emplace_back();
    for (const std::string& name : objectives) {
      row.push_back(
          (1 - point.alpha) * point.rewards.at(name).mean -
          point.alpha * point.kl.mean);
    }
  }
  return rows;
}

bool is_vertex(const FrontPoint& point) {
  return std::any_of(
      point.weights.begin(), point.weights.end(), [](const auto& weight) {
        return weight.second >= 1 - 1e-9;
      });
}

double reach(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives,
    const std::string& objective) {
  Row knob;
  for (const FrontPoint& point : points)
    knob.push_back(knob_of(point, objectives, objective));
  const auto [low, high] = std::minmax_element(knob.begin(), knob.end());
  return mean_at(points, objective, knob, *high) -
         mean_at(points, objective, knob, *low);
}

FrontFigures front_figures(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives) {
  if (points.empty() || objectives.empty()) {
    throw_caller_error(
        "[front_figures] {} points of {} objectives; give at least one of each",
        points.size(),
        objectives.size());
  }
  FrontFigures figures;
  const auto count = static_cast<double>(points.size());
  const auto m = static_cast<double>(objectives.size());
  for (const FrontPoint& point : points) {
    figures.mean_value += point.value.mean / count;
    for (const auto& [name, weight] : point.weights)
      figures.mean_reward += weight * point.rewards.at(name).mean / count;
  }
  for (const std::string& name : objectives) {
    Row knob, rewards;
    for (const FrontPoint& point : points) {
      knob.push_back(knob_of(point, objectives, name));
      rewards.push_back(point.rewards.at(name).mean);
    }
    figures.reach += reach(points, objectives, name) / m;
    figures.kendall[name] = kendall_tau(knob, rewards);
    figures.value_reference_point[name] = 0;
  }
  if (const auto path = path_of(points, objectives))
    figures.largest_step = largest_step(*path);
  const Rows values = value_rows(points, objectives);
  const Row origin(objectives.size(), 0.0);
  figures.value_hypervolume = hypervolume(values, origin);
  if (objectives.size() == 2)
    figures.value_hull_hypervolume = hull_hypervolume(values, origin);
  return figures;
}

}  // namespace moft
