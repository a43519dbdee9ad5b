// The steps of a value network: predict, learn, update.
#include "moft/training/value_learner.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/clip.h"
#include "moft/algorithms/values.h"
#include "moft/training/make_optimizer.h"

namespace moft {
namespace {

std::vector<TrainedTensor> masters_of(const HeadedModel& model) {
  std::vector<TrainedTensor> result;
  for (const HeadedParameter& parameter : model.trained())
    result.push_back({parameter.name, parameter.master, parameter.decays});
  return result;
}

ItemSlices slices_or_all(const ItemSlices& slices, std::size_t prompts) {
  return slices.empty() ? ItemSlices{{{0, prompts}}} : slices;
}

std::vector<TokenIds> slice(
    const std::vector<TokenIds>& prompts, const ItemRange& range) {
  const auto at = [&](std::size_t item) {
    return prompts.begin() + static_cast<std::ptrdiff_t>(item);
  };
  return {at(range.first), at(range.second)};
}

}  // namespace

ValueLearner::ValueLearner(
    std::shared_ptr<LanguageModel> model,
    std::int64_t outputs,
    const ValueOptions& options,
    FirstValues first,
    const Ranks& ranks)
    : outputs_(outputs),
      first_(first),
      base_(model),
      model_(make_value_model(std::move(model), outputs, first)),
      learning_rate_(options.learning_rate) {
  OptimizerOptions optimizer;
  optimizer.kind = OptimizerKind::kAdafactor;
  optimizer.adafactor = options.adafactor;
  optimizer_ = make_optimizer(masters_of(model_), optimizer, ranks);
}

at::Tensor ValueLearner::predict(
    const std::vector<TokenIds>& prompts, const ItemSlices& slices) const {
  const at::NoGradGuard no_gradient;
  std::vector<at::Tensor> values;
  for (const auto& parts : slices_or_all(slices, prompts.size())) {
    for (const ItemRange& part : parts)
      values.push_back(
          values_of(model_.forward(slice(prompts, part))).to(at::kCPU));
  }
  return at::cat(values).to(at::kDouble);
}

void ValueLearner::zero_gradient() {
  model_.zero_gradient();
  kept_.clear();
}

void ValueLearner::end_slice() {
  if (keeps_slices_) {
    kept_.push_back(model_.take_slice());
  } else {
    model_.end_slice();
  }
}

at::Tensor ValueLearner::learn(const ValueBatch& batch) {
  zero_gradient();
  const std::int64_t samples = batch.samples_per_prompt;
  const double normaliser =
      std::max(1.0, (~batch.targets.isnan()).sum().item<double>());
  std::vector<at::Tensor> values;
  for (const auto& parts : slices_or_all(batch.slices, batch.prompts.size())) {
    model_.begin_gradient();
    for (const ItemRange& part : parts) {
      const at::Tensor found =
          values_of(model_.forward(slice(batch.prompts, part)));
      const at::Tensor targets = batch.targets.slice(
          0,
          static_cast<std::int64_t>(part.first) * samples,
          static_cast<std::int64_t>(part.second) * samples);
      value_loss(found.repeat_interleave(samples, 0), targets, normaliser)
          .backward();
      values.push_back(found.detach().to(at::kCPU));
    }
    model_.end_gradient();
    end_slice();
  }
  return at::cat(values).to(at::kDouble);
}

at::Tensor ValueLearner::token_values(const ScoreBatch& batch) const {
  const at::NoGradGuard no_gradient;
  return values_of(completion_values(*base_, batch)).to(at::kCPU, at::kDouble);
}

double ValueLearner::learn_tokens(
    const ScoreBatch& batch, const TokenTargets& targets) {
  model_.begin_gradient();
  const at::Tensor values = values_of(completion_values(*base_, batch));
  clipped_value_loss(
      values,
      targets.old,
      targets.returns,
      targets.cliprange,
      targets.normaliser)
      .backward();
  model_.end_gradient();
  return clipped_values(
      values, targets.old, targets.returns, targets.cliprange);
}

double ValueLearner::update() {
  std::vector<ScaledGradient> gradients;
  for (const HeadedParameter& parameter : model_.trained())
    gradients.push_back({parameter.gradient, 1.0});
  const ClippedNorm norm = clip_by_global_norm(
      optimizer_->parameters(), gradients, /*max_norm=*/std::nullopt);
  optimizer_->step(gradients, learning_rate_);
  model_.masters_changed();
  return norm.norm;
}

void ValueLearner::restore(
    const std::map<std::string, at::Tensor>& masters,
    const std::map<std::string, at::Tensor>& optimizer) {
  optimizer_->import_state(optimizer);
  model_.load(masters);
}

}  // namespace moft
