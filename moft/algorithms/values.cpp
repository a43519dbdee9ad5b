// The value network's loss, baseline and quality.
#include "moft/algorithms/values.h"

#include "moft/algorithms/rewards.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

void check(const at::Tensor& values, const at::Tensor& targets) {
  if (values.dim() == 2 && values.sizes() == targets.sizes()) return;
  throw_caller_error(
      "{} values meet {} targets; give [B, m] of both",
      values.numel(),
      targets.numel());
}

double summed_variance(const at::Tensor& rows) {
  return (rows - rows.mean(0, /*keepdim=*/true))
      .square()
      .mean(0)
      .sum()
      .item<double>();
}

}  // namespace

at::Tensor value_loss(
    const at::Tensor& values, const at::Tensor& targets, double normaliser) {
  check(values, targets);
  if (!(normaliser > 0.0)) {
    throw_caller_error(
        "the value loss is divided by {}; give the number of values in the "
        "step",
        normaliser);
  }
  const at::Tensor wanted = targets.detach().to(values.device(), at::kDouble);
  const at::Tensor errors =
      (values.to(at::kDouble) - wanted).masked_fill(wanted.isnan(), 0.0);
  return errors.square().sum() * (1.0 / normaliser);
}

namespace {

// Squared errors of values and of clipped values; 0 where a return is NaN.
struct ClippedErrors {
  at::Tensor own;
  at::Tensor clipped;
};

ClippedErrors clipped_errors(
    const at::Tensor& values,
    const at::Tensor& old,
    const at::Tensor& returns,
    double range) {
  check(values, returns);
  check(values, old);
  const auto constant = [&](const at::Tensor& numbers) {
    return numbers.detach().to(values.device(), at::kDouble);
  };
  const at::Tensor wanted = constant(returns);
  const at::Tensor before = constant(old);
  const at::Tensor own = values.to(at::kDouble);
  const at::Tensor clipped =
      at::minimum(at::maximum(own, before - range), before + range);
  const auto square = [&](const at::Tensor& found) {
    return (found - wanted).masked_fill(wanted.isnan(), 0.0).square();
  };
  return {square(own), square(clipped)};
}

}  // namespace

at::Tensor clipped_value_loss(
    const at::Tensor& values,
    const at::Tensor& old,
    const at::Tensor& returns,
    double range,
    double normaliser) {
  if (!(normaliser > 0.0)) {
    throw_caller_error(
        "the value loss is divided by {}; give the number of values in the "
        "minibatch",
        normaliser);
  }
  const ClippedErrors errors = clipped_errors(values, old, returns, range);
  return at::where(errors.clipped.gt(errors.own), errors.clipped, errors.own)
             .sum() *
         (0.5 / normaliser);
}

double clipped_values(
    const at::Tensor& values,
    const at::Tensor& old,
    const at::Tensor& returns,
    double range) {
  const ClippedErrors errors =
      clipped_errors(values.detach(), old, returns, range);
  return errors.clipped.gt(errors.own).sum().item<double>();
}

at::Tensor value_baseline(
    const at::Tensor& values,
    const at::Tensor& weights,
    const at::Tensor& alpha,
    ValueScale scale,
    const Scalarisation& f) {
  const at::Tensor scalar = scalarise(values, weights, f);
  if (alpha.sizes() != scalar.sizes()) {
    throw_caller_error(
        "{} values meet {} KL strengths; give one per row",
        scalar.numel(),
        alpha.numel());
  }
  if (scale == ValueScale::kLiteral) return scalar;
  return (1 - alpha.detach().to(scalar.device(), at::kDouble)) * scalar;
}

double explained_variance(const at::Tensor& values, const at::Tensor& targets) {
  check(values, targets);
  const at::Tensor wanted = targets.detach().to(at::kDouble);
  const at::Tensor given = values.detach().to(wanted.device(), at::kDouble);
  const double all = summed_variance(wanted);
  return all > 0.0 ? 1.0 - summed_variance(wanted - given) / all : 0.0;
}

}  // namespace moft
