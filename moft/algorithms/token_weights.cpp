// Weights and normalisers of the loss types.
#include "moft/algorithms/token_weights.h"

#include <algorithm>

#include "moft/core/errors.h"

namespace moft {

at::Tensor token_weights(
    LossType type, const at::Tensor& lengths, const at::Tensor& masked) {
  if (lengths.dim() != 1 || lengths.sizes() != masked.sizes()) {
    throw_caller_error(
        "{} lengths meet {} masks; give one of each per row",
        lengths.numel(),
        masked.numel());
  }
  const at::Tensor counts = lengths.clamp_min(1).to(at::kDouble);
  const at::Tensor rows =
      type == LossType::kGrpo ? counts.reciprocal() : at::ones_like(counts);
  return at::repeat_interleave(rows.masked_fill(masked, 0.0), lengths, 0);
}

double loss_normaliser(LossType type, const LossShape& shape) {
  const auto chosen = [&] {
    switch (type) {
      case LossType::kBnpo:
        return shape.tokens;
      case LossType::kDapo:
        return shape.all_tokens / shape.minibatches;
      case LossType::kDrGrpo:
        return shape.rows * shape.longest;
      default:
        return shape.rows;
    }
  };
  return std::max(1.0, chosen());
}

}  // namespace moft
