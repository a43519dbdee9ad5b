// Factors of YaRN and llama3, and llama3 settings from their factors.
#include "moft/models/llama/rope_factors.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moft {

double yarn_attention(double factor, double scale) {
  return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

std::vector<double> llama3_factors(
    const RopeScaling& scaling, double theta, std::int64_t head_size) {
  const auto context = static_cast<double>(scaling.original_context);
  const double low = scaling.low_frequency, high = scaling.high_frequency;
  std::vector<double> factors;
  for (std::int64_t i = 0; i < head_size / 2; ++i) {
    const double exponent =
        static_cast<double>(2 * i) / static_cast<double>(head_size);
    const double length = 2 * std::numbers::pi * std::pow(theta, exponent);
    if (length < context / high) {
      factors.push_back(1.0);
    } else if (length > context / low) {
      factors.push_back(scaling.factor);
    } else {
      const double smooth = (context / length - low) / (high - low);
      factors.push_back(1.0 / ((1.0 - smooth) / scaling.factor + smooth));
    }
  }
  return factors;
}

std::optional<RopeScaling> llama3_of_factors(
    const Rope& rope, std::int64_t head_size) {
  const auto& wanted = rope.scaling.factors;
  if (wanted.empty() || rope.scaling.attention != 1.0) return std::nullopt;
  RopeScaling guess;
  guess.kind = RopeKind::kLlama3;
  guess.factor = *std::max_element(wanted.begin(), wanted.end());
  if (guess.factor <= 1.0) return std::nullopt;
  for (int power = 4; power <= 24; ++power) {
    guess.original_context = std::int64_t{1} << power;
    const auto found = llama3_factors(guess, rope.theta, head_size);
    const bool same = std::equal(
        found.begin(),
        found.end(),
        wanted.begin(),
        wanted.end(),
        [](double a, double b) { return std::abs(a - b) <= 1e-5 * b; });
    if (same) return guess;
  }
  return std::nullopt;
}

}  // namespace moft
