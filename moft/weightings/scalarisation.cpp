// The linear scalarisation.
#include "moft/weightings/scalarisation.h"

#include "moft/core/errors.h"

namespace moft {
namespace {

void check(std::span<const double> rewards, std::span<const double> weights) {
  if (rewards.size() == weights.size()) return;
  throw_caller_error(
      "{} rewards and {} weights; give one weight per objective",
      rewards.size(),
      weights.size());
}

}  // namespace

double LinearScalarisation::value(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights);
  double sum = 0.0;
  for (std::size_t i = 0; i < rewards.size(); ++i)
    sum += weights[i] * rewards[i];
  return sum;
}

std::vector<double> LinearScalarisation::gradient(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights);
  return {weights.begin(), weights.end()};
}

}  // namespace moft
