// Losses of classifiers and reward models.
#include "moft/algorithms/reward_losses.h"

#include <algorithm>
#include <cmath>

#include "moft/core/errors.h"

namespace moft {
namespace {

void check_shape(
    const char* what,
    const at::Tensor& outputs,
    std::int64_t columns,
    const at::Tensor& targets) {
  const bool fits =
      outputs.dim() == 2 && outputs.size(1) == columns &&
      (!targets.defined() ||
       (targets.dim() == 1 && targets.size(0) == outputs.size(0)));
  if (fits) return;
  throw_caller_error(
      "{}: outputs and targets do not fit; give [rows, {}] and [rows]",
      what,
      columns);
}

}  // namespace

at::Tensor label_loss(const at::Tensor& logits, const at::Tensor& labels) {
  check_shape("cross entropy", logits, logits.size(-1), labels);
  return -at::log_softmax(logits, 1, at::kDouble)
              .gather(1, labels.unsqueeze(1))
              .sum();
}

at::Tensor preference_loss(
    const at::Tensor& scores, const at::Tensor& margins, double centring) {
  check_shape("preference loss", scores, 2, margins);
  const at::Tensor both = scores.to(at::kDouble);
  at::Tensor difference = both.select(1, 0) - both.select(1, 1);
  if (margins.defined()) difference = difference - margins.to(at::kDouble);
  at::Tensor loss = -at::log_sigmoid(difference).sum();
  if (centring != 0.0) loss = loss + centring * both.sum(1).square().sum();
  return loss;
}

at::Tensor squared_error_loss(
    const at::Tensor& outputs, const at::Tensor& targets) {
  check_shape("squared error", outputs, 1, targets);
  return (outputs.select(1, 0).to(at::kDouble) - targets).square().sum();
}

double accuracy(const std::vector<Judgement>& judgements) {
  const auto right = std::ranges::count_if(
      judgements, [](const Judgement& j) { return j.right; });
  return static_cast<double>(right) /
         static_cast<double>(std::max<std::size_t>(judgements.size(), 1));
}

double calibration_error(
    const std::vector<Judgement>& judgements, std::size_t bins) {
  std::vector<double> differences(bins, 0.0);
  for (const Judgement& j : judgements) {
    const double place = j.confidence * static_cast<double>(bins);
    const auto bin = static_cast<std::size_t>(
        std::clamp(std::ceil(place) - 1.0, 0.0, static_cast<double>(bins - 1)));
    differences[bin] += j.confidence - (j.right ? 1.0 : 0.0);
  }
  double sum = 0.0;
  for (const double difference : differences)
    sum += std::abs(difference);
  return sum / static_cast<double>(std::max<std::size_t>(judgements.size(), 1));
}

}  // namespace moft
