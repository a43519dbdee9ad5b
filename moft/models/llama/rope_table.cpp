// Cosines and sines of rotary embeddings, by position.
#include "moft/models/llama/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moft {
namespace {

// theta^(2i/d): [head_size / 2].
at::Tensor wave_numbers(double theta, std::int64_t head_size) {
  const at::Tensor exponents =
      at::arange(0, head_size, 2, at::kFloat) / static_cast<double>(head_size);
  return at::pow(at::scalar_tensor(theta, at::kFloat), exponents);
}

at::Tensor llama3_frequencies(
    const at::Tensor& plain, const RopeScaling& scaling) {
  const auto context = static_cast<double>(scaling.original_context);
  const double low = scaling.low_frequency, high = scaling.high_frequency;
  const at::Tensor length = plain.reciprocal() * (2 * std::numbers::pi);
  const at::Tensor slow = length > context / low;
  const at::Tensor between =
      (length < context / high).logical_not() & slow.logical_not();
  const at::Tensor divided = at::where(slow, plain / scaling.factor, plain);
  const at::Tensor smooth =
      (length.reciprocal() * context - low) / (high - low);
  const at::Tensor mixed =
      (1.0 - smooth) * divided / scaling.factor + smooth * divided;
  return at::where(between, mixed, divided);
}

// The dimension that makes this number of turns over the original context.
double turning_dimension(
    double turns, const Rope& rope, std::int64_t head_size) {
  const auto context = static_cast<double>(rope.scaling.original_context);
  return static_cast<double>(head_size) *
         std::log(context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(rope.theta));
}

at::Tensor yarn_frequencies(
    const at::Tensor& waves, const Rope& rope, std::int64_t head_size) {
  const RopeScaling& scaling = rope.scaling;
  double low = turning_dimension(scaling.beta_fast, rope, head_size);
  double high = turning_dimension(scaling.beta_slow, rope, head_size);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(head_size - 1));
  if (low == high) high += 0.001;
  const at::Tensor ramp =
      ((at::arange(0, head_size / 2, at::kFloat) - low) / (high - low))
          .clamp(0, 1);
  const at::Tensor kept = 1.0 - ramp;
  return (waves * scaling.factor).reciprocal() * (1.0 - kept) +
         waves.reciprocal() * kept;
}

at::Tensor frequencies(const Rope& rope, std::int64_t head_size) {
  const at::Tensor waves = wave_numbers(rope.theta, head_size);
  const at::Tensor plain = waves.reciprocal();
  switch (rope.scaling.kind) {
    case RopeKind::kPlain:
    case RopeKind::kDynamic:
      return plain;
    case RopeKind::kLinear:
      return plain / rope.scaling.factor;
    case RopeKind::kLlama3:
      return llama3_frequencies(plain, rope.scaling);
    case RopeKind::kYarn:
      return yarn_frequencies(waves, rope, head_size);
    case RopeKind::kFactors:
      return (at::tensor(rope.scaling.factors, at::kFloat) * waves)
          .reciprocal();
  }
  return plain;
}

}  // namespace

RopeTable make_rope_table(
    const Rope& rope, std::int64_t head_size, std::int64_t positions) {
  const at::Tensor places = at::arange(0, positions, at::kFloat);
  const at::Tensor angles =
      places.unsqueeze(1) * frequencies(rope, head_size).unsqueeze(0);
  if (rope.scaling.attention == 1.0) return {angles.cos(), angles.sin()};
  return {
      angles.cos() * rope.scaling.attention,
      angles.sin() * rope.scaling.attention};
}

}  // namespace moft
