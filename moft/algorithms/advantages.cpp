// Advantages on one scale; rewards that tie.
#include "moft/algorithms/advantages.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr double kEpsilon = 1e-8;

using Rows = std::vector<std::size_t>;

Rows all_rows(std::size_t count) {
  Rows rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

void check_finite(const std::vector<double>& rewards) {
  for (std::size_t row = 0; row < rewards.size(); ++row) {
    if (std::isfinite(rewards[row])) continue;
    throw_world_error(
        "the reward of completion {}, KL included, is {}; lower the learning "
        "rate, or look at training.kl_estimator",
        row,
        rewards[row]);
  }
}

bool all_zero(const std::vector<double>& values, const Rows& rows) {
  return std::all_of(rows.begin(), rows.end(), [&](std::size_t row) {
    return values[row] == 0.0;
  });
}

void set_zero(std::vector<double>& values, const Rows& rows) {
  for (const std::size_t row : rows)
    values[row] = 0.0;
}

// Returns what they were divided by.
double normalise_rows(std::vector<double>& values, const Rows& rows) {
  const auto count = static_cast<double>(rows.size());
  double mean = 0.0;
  for (const std::size_t row : rows)
    mean += values[row] / count;
  double variance = 0.0;
  for (const std::size_t row : rows) {
    variance += (values[row] - mean) * (values[row] - mean) / count;
  }
  const double scale = std::max(std::sqrt(variance) + kEpsilon, kLeastDivisor);
  for (const std::size_t row : rows)
    values[row] = (values[row] - mean) / scale;
  return scale;
}

// `compared` decides about ties. `values` are advantages; they and `divisors`
// are written.
void normalise(
    const std::vector<double>& compared,
    const Rows& rows,
    std::vector<double>& values,
    std::vector<double>& divisors) {
  if (rewards_tie(compared, rows)) set_zero(values, rows);
  if (all_zero(values, rows)) return;
  const double divisor = normalise_rows(values, rows);
  for (const std::size_t row : rows)
    divisors[row] = divisor;
}

}  // namespace

NormalisedAdvantages make_advantages(
    const AdvantageTerms& terms, AdvantageNormalisation normalisation) {
  const std::vector<double> rewards = row_values(terms.rewards, "rewards");
  check_finite(rewards);
  const std::vector<double> compared =
      terms.compared.defined() ? row_values(terms.compared, "compared rewards")
                               : rewards;
  const bool subtracts = terms.baseline.defined();
  std::vector<double> values =
      subtracts ? row_values(terms.rewards - terms.baseline, "advantages")
                : rewards;
  std::vector<double> divisors(values.size(), 1.0);
  const Rows all = all_rows(values.size());
  const bool by_group = normalisation == AdvantageNormalisation::kGroup;
  if (by_group || terms.baseline_of_group) {
    for (const auto& [label, rows] :
         rows_by_group(terms.groups, values.size())) {
      if (by_group) {
        normalise(compared, rows, values, divisors);
      } else if (rewards_tie(compared, rows)) {
        set_zero(values, rows);
      }
    }
  }
  if (normalisation == AdvantageNormalisation::kBatch) {
    normalise(compared, all, values, divisors);
  } else if (
      subtracts && !by_group && all.size() > 1 && rewards_tie(compared, all)) {
    set_zero(values, all);
  }
  return {
      row_tensor(values, terms.rewards), row_tensor(divisors, terms.rewards)};
}

double share_of_ties(const at::Tensor& rewards, const at::Tensor& groups) {
  const std::vector<double> values = row_values(rewards, "rewards");
  double compared = 0.0;
  double tied = 0.0;
  for (const auto& [label, rows] : rows_by_group(groups, values.size())) {
    if (rows.size() < 2) continue;
    compared += 1.0;
    tied += rewards_tie(values, rows) ? 1.0 : 0.0;
  }
  if (compared > 0.0) return tied / compared;
  return rewards_tie(values, all_rows(values.size())) ? 1.0 : 0.0;
}

}  // namespace moft
