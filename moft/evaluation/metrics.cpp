// Figures of a front: order, value and knob, coverage.
#include "moft/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "moft/core/errors.h"

namespace moft {
namespace {

void check_same(const char* place, std::size_t a, std::size_t b) {
  if (a == b) return;
  throw_caller_error(
      "[{}] got {} entries beside {}; give the same number of both",
      place,
      a,
      b);
}

std::size_t width_of(const Rows& rows) {
  return rows.empty() ? 0 : rows.front().size();
}

double squared_distance(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return sum;
}

// Mean ranks, 1-based: equal numbers share the mean of their places.
Row ranks(const Row& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(
      order.begin(), order.end(), [&](auto a, auto b) { return x[a] < x[b]; });
  Row result(x.size());
  for (std::size_t start = 0; start < order.size();) {
    std::size_t stop = start;
    while (stop < order.size() && x[order[stop]] == x[order[start]])
      ++stop;
    const double rank = 0.5 * static_cast<double>(start + stop + 1);
    for (; start < stop; ++start)
      result[order[start]] = rank;
  }
  return result;
}

double mean(const Row& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) /
         static_cast<double>(x.size());
}

}  // namespace

void check_rows(const char* place, const Rows& rows, std::size_t width) {
  for (const Row& row : rows) {
    if (row.size() != width) {
      throw_caller_error(
          "[{}] a row has {} numbers where {} are needed; give every point "
          "the same objectives",
          place,
          row.size(),
          width);
    }
    for (const double x : row) {
      if (!std::isfinite(x)) {
        throw_caller_error(
            "[{}] a row holds {}; give finite numbers only", place, x);
      }
    }
  }
}

bool dominates(const Row& a, const Row& b) {
  check_same("dominates", a.size(), b.size());
  bool above = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] < b[i]) return false;
    above = above || a[i] > b[i];
  }
  return above;
}

std::vector<std::size_t> pareto_front(const Rows& points) {
  check_rows("pareto_front", points, width_of(points));
  std::vector<std::size_t> kept;
  for (std::size_t k = 0; k < points.size(); ++k) {
    bool keep = true;
    for (std::size_t j = 0; keep && j < points.size(); ++j) {
      keep = !dominates(points[j], points[k]) &&
             !(j < k && points[j] == points[k]);
    }
    if (keep) kept.push_back(k);
  }
  return kept;
}

Rows cross_scores(
    const Rows& points, const Rows& weightings, const Scalarisation& f) {
  const Row no_kl(points.size(), 0.0);
  const Row no_alpha(weightings.size(), 0.0);
  return cross_values(points, no_kl, weightings, no_alpha, f);
}

Rows cross_values(
    const Rows& points,
    const Row& kl,
    const Rows& weightings,
    const Row& alphas,
    const Scalarisation& f) {
  check_rows("cross_values", points, width_of(points));
  check_rows("cross_values", weightings, width_of(points));
  check_same("cross_values", kl.size(), points.size());
  check_same("cross_values", alphas.size(), weightings.size());
  Rows scores(weightings.size(), Row(points.size()));
  for (std::size_t i = 0; i < weightings.size(); ++i) {
    for (std::size_t j = 0; j < points.size(); ++j) {
      scores[i][j] = (1 - alphas[i]) * f.value(points[j], weightings[i]) -
                     alphas[i] * kl[j];
    }
  }
  return scores;
}

double mean_utility(const Rows& scores) {
  if (scores.empty()) return 0;
  check_rows("mean_utility", scores, scores.size());
  double sum = 0;
  for (std::size_t k = 0; k < scores.size(); ++k)
    sum += scores[k][k];
  return sum / static_cast<double>(scores.size());
}

double best_utility(const Rows& scores) {
  if (scores.empty() || scores.front().empty()) return 0;
  check_rows("best_utility", scores, width_of(scores));
  double sum = 0;
  for (const Row& row : scores) {
    sum += *std::max_element(row.begin(), row.end());
  }
  return sum / static_cast<double>(scores.size());
}

double knob_regret(const Rows& scores) {
  return best_utility(scores) - mean_utility(scores);
}

double diagonal_share(const Rows& scores) {
  if (scores.empty()) return 0;
  check_rows("diagonal_share", scores, scores.size());
  std::size_t hits = 0;
  for (std::size_t k = 0; k < scores.size(); ++k) {
    const Row& row = scores[k];
    if (row[k] >= *std::max_element(row.begin(), row.end()) - 1e-12) ++hits;
  }
  return static_cast<double>(hits) / static_cast<double>(scores.size());
}

Row equal_shares(std::size_t count) {
  return Row(count, 1.0 / static_cast<double>(count));
}

Row trapezoid_shares(const Rows& weightings) {
  check_rows("trapezoid_shares", weightings, 2);
  if (weightings.empty()) {
    throw_caller_error("[trapezoid_shares] no weightings; give at least one");
  }
  std::vector<std::size_t> order(weightings.size());
  std::iota(order.begin(), order.end(), 0);
  const auto weight = [&](std::size_t k) { return weightings[order[k]][0]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return weightings[a][0] < weightings[b][0];
  });
  Row shares(weightings.size(), 0.0);
  shares[order.front()] += weight(0);
  shares[order.back()] += 1 - weight(order.size() - 1);
  for (std::size_t k = 0; k + 1 < order.size(); ++k) {
    const double half = 0.5 * (weight(k + 1) - weight(k));
    shares[order[k]] += half;
    shares[order[k + 1]] += half;
  }
  return shares;
}

Row extent(const Rows& points) {
  if (points.empty()) return {};
  check_rows("extent", points, width_of(points));
  Row low = points.front();
  Row high = low;
  for (const Row& point : points) {
    for (std::size_t i = 0; i < point.size(); ++i) {
      low[i] = std::min(low[i], point[i]);
      high[i] = std::max(high[i], point[i]);
    }
  }
  for (std::size_t i = 0; i < high.size(); ++i)
    high[i] -= low[i];
  return high;
}

double spearman(const Row& x, const Row& y) {
  check_same("spearman", x.size(), y.size());
  check_rows("spearman", {x, y}, x.size());
  if (x.size() < 2) return 0;
  const Row a = ranks(x);
  const Row b = ranks(y);
  const double center = mean(a);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    ab += (a[k] - center) * (b[k] - center);
    aa += (a[k] - center) * (a[k] - center);
    bb += (b[k] - center) * (b[k] - center);
  }
  return aa == 0 || bb == 0 ? 0 : ab / std::sqrt(aa * bb);
}

Row gaps(const Rows& points) {
  check_rows("gaps", points, width_of(points));
  Row result;
  for (std::size_t k = 1; k < points.size(); ++k) {
    result.push_back(std::sqrt(squared_distance(points[k], points[k - 1])));
  }
  return result;
}

double front_length(const Rows& points) {
  const Row steps = gaps(points);
  return std::accumulate(steps.begin(), steps.end(), 0.0);
}

double evenness(const Rows& points) {
  const Row steps = gaps(points);
  const double total = std::accumulate(steps.begin(), steps.end(), 0.0);
  if (total <= 1e-12 || steps.size() < 2) return 0;
  double entropy = 0;
  for (const double step : steps) {
    if (step > 0) entropy -= step / total * std::log(step / total);
  }
  return std::abs(entropy / std::log(static_cast<double>(steps.size())));
}

double spacing(const Rows& points) {
  check_rows("spacing", points, width_of(points));
  const std::size_t n = points.size();
  if (n < 2) return 0;
  Row nearest(n, std::numeric_limits<double>::infinity());
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      if (a == b) continue;
      double distance = 0;
      for (std::size_t i = 0; i < points[a].size(); ++i) {
        distance += std::abs(points[a][i] - points[b][i]);
      }
      nearest[a] = std::min(nearest[a], distance);
    }
  }
  const double center = mean(nearest);
  double sum = 0;
  for (const double d : nearest)
    sum += (d - center) * (d - center);
  return std::sqrt(sum / static_cast<double>(n - 1));
}

double sparsity(const Rows& points) {
  // Equal points count here, as in the measure's usual implementation.
  Rows kept;
  for (const Row& point : points) {
    const bool beaten =
        std::any_of(points.begin(), points.end(), [&](const Row& other) {
          return dominates(other, point);
        });
    if (!beaten) kept.push_back(point);
  }
  if (kept.size() < 2) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < kept.front().size(); ++i) {
    Row column;
    for (const Row& point : kept)
      column.push_back(point[i]);
    std::sort(column.begin(), column.end());
    for (std::size_t k = 1; k < column.size(); ++k) {
      sum += (column[k] - column[k - 1]) * (column[k] - column[k - 1]);
    }
  }
  return sum / static_cast<double>(kept.size() - 1);
}

MonotonicityViolations monotonicity_violations(
    const Row& values, const Row& keys, double tolerance) {
  check_same("monotonicity_violations", values.size(), keys.size());
  if (values.size() < 2) return {};
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return keys[a] < keys[b];
  });
  MonotonicityViolations result;
  for (std::size_t k = 1; k < order.size(); ++k) {
    const double fall = values[order[k - 1]] - values[order[k]];
    if (fall > 0) result.total += fall;
    if (fall > tolerance) result.share += 1;
  }
  result.share /= static_cast<double>(values.size() - 1);
  return result;
}

double additive_epsilon(const Rows& points, const Rows& target) {
  check_rows("additive_epsilon", points, width_of(target));
  check_rows("additive_epsilon", target, width_of(target));
  double worst = -std::numeric_limits<double>::infinity();
  for (const Row& goal : target) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const Row& point : points) {
      double shift = -std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < goal.size(); ++i) {
        shift = std::max(shift, goal[i] - point[i]);
      }
      nearest = std::min(nearest, shift);
    }
    worst = std::max(worst, nearest);
  }
  return worst;
}

double igd_plus(const Rows& points, const Rows& target) {
  check_rows("igd_plus", points, width_of(target));
  check_rows("igd_plus", target, width_of(target));
  double sum = 0;
  for (const Row& goal : target) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const Row& point : points) {
      double short_by = 0;
      for (std::size_t i = 0; i < goal.size(); ++i) {
        const double lack = std::max(goal[i] - point[i], 0.0);
        short_by += lack * lack;
      }
      nearest = std::min(nearest, std::sqrt(short_by));
    }
    sum += nearest;
  }
  return sum / static_cast<double>(target.size());
}

}  // namespace moft
