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

// Calls compute(begin, end) for prompts begin .. end - 1 of each part.
template <typename Compute>
at::Tensor in_parts(
    std::int64_t prompts, std::int64_t parts, const Compute& compute) {
  const std::int64_t size = (prompts + parts - 1) / parts;
  std::vector<at::Tensor> values;
  for (std::int64_t begin = 0; begin < prompts; begin += size)
    values.push_back(compute(begin, std::min(prompts, begin + size)));
  return at::cat(values).to(at::kDouble);
}

std::vector<TokenIds> slice(
    const std::vector<TokenIds>& prompts,
    std::int64_t begin,
    std::int64_t end) {
  return {prompts.begin() + begin, prompts.begin() + end};
}

}  // namespace

ValueLearner::ValueLearner(
    std::shared_ptr<LanguageModel> model,
    std::int64_t outputs,
    const ValueOptions& options,
    FirstValues first)
    : outputs_(outputs),
      first_(first),
      base_(model),
      model_(make_value_model(std::move(model), outputs, first)),
      learning_rate_(options.learning_rate) {
  OptimizerOptions optimizer;
  optimizer.kind = OptimizerKind::kAdafactor;
  optimizer.adafactor = options.adafactor;
  optimizer_ = make_optimizer(masters_of(model_), optimizer);
}

at::Tensor ValueLearner::predict(
    const std::vector<TokenIds>& prompts, std::int64_t parts) const {
  const at::NoGradGuard no_gradient;
  const auto count = static_cast<std::int64_t>(prompts.size());
  return in_parts(count, parts, [&](std::int64_t begin, std::int64_t end) {
    return values_of(model_.forward(slice(prompts, begin, end))).to(at::kCPU);
  });
}

at::Tensor ValueLearner::learn(const ValueBatch& batch) {
  model_.zero_gradient();
  const auto count = static_cast<std::int64_t>(batch.prompts.size());
  const std::int64_t samples = batch.samples_per_prompt;
  const double normaliser =
      std::max(1.0, (~batch.targets.isnan()).sum().item<double>());
  return in_parts(count, batch.parts, [&](auto begin, auto end) {
    model_.begin_gradient();
    const at::Tensor values =
        values_of(model_.forward(slice(batch.prompts, begin, end)));
    const at::Tensor by_row = values.repeat_interleave(samples, 0);
    const at::Tensor targets =
        batch.targets.slice(0, begin * samples, end * samples);
    value_loss(by_row, targets, normaliser).backward();
    model_.end_gradient();
    return values.detach().to(at::kCPU);
  });
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
