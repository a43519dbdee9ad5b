#include "moft/algorithms/advantages.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "moft/algorithms/row_values.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr double kEpsilon = 1e-8;

// Returns what they were divided by.
double normalise_rows(
    std::vector<double>& values, const std::vector<std::size_t>& rows) {
  const auto less = [&](std::size_t a, std::size_t b) {
    return values[a] < values[b];
  };
  const auto [low, high] = std::minmax_element(rows.begin(), rows.end(), less);
  if (values[*low] == values[*high]) {
    for (const std::size_t row : rows)
      values[row] = 0.0;
    return std::numeric_limits<double>::infinity();
  }
  const auto count = static_cast<double>(rows.size());
  double mean = 0.0;
  for (const std::size_t row : rows)
    mean += values[row] / count;
  double variance = 0.0;
  for (const std::size_t row : rows) {
    variance += (values[row] - mean) * (values[row] - mean) / count;
  }
  const double scale = std::sqrt(variance) + kEpsilon;
  for (const std::size_t row : rows)
    values[row] = (values[row] - mean) / scale;
  return scale;
}

}  // namespace

Normalisation parse_normalisation(std::string_view name) {
  if (name == "none") return Normalisation::kNone;
  if (name == "batch") return Normalisation::kBatch;
  if (name == "group") return Normalisation::kGroup;
  throw_caller_error(
      "advantage normalisation is '{}'; choose none, batch or group", name);
}

std::string normalisation_name(Normalisation normalisation) {
  if (normalisation == Normalisation::kNone) return "none";
  return normalisation == Normalisation::kBatch ? "batch" : "group";
}

NormalisedAdvantages normalise_with_divisor(
    const at::Tensor& advantages,
    Normalisation normalisation,
    const at::Tensor& groups) {
  std::vector<double> values = row_values(advantages, "advantages");
  std::vector<double> divisors(values.size(), 1.0);
  if (normalisation == Normalisation::kBatch) {
    std::vector<std::size_t> all(values.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    divisors.assign(values.size(), normalise_rows(values, all));
  } else if (normalisation == Normalisation::kGroup) {
    for (const auto& [label, rows] : rows_by_group(groups, values.size())) {
      const double divisor = normalise_rows(values, rows);
      for (const std::size_t row : rows)
        divisors[row] = divisor;
    }
  }
  return {row_tensor(values, advantages), row_tensor(divisors, advantages)};
}

at::Tensor normalise_advantages(
    const at::Tensor& advantages,
    Normalisation normalisation,
    const at::Tensor& groups) {
  return normalise_with_divisor(advantages, normalisation, groups).advantages;
}

}  // namespace moft
