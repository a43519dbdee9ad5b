#include "moft/models/value_model.h"

#include <algorithm>
#include <numeric>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kHead = "head";
constexpr const char* kValueHead = "value_head.weight";

// What every parameter is multiplied by: there is one copy of each.
Coefficients only_copy() {
  return Coefficients(0.0, Weighting::uniform(1));
}

}  // namespace

ValueModel::ValueModel(
    std::shared_ptr<LanguageModel> model, std::int64_t outputs)
    : model_(std::move(model)), outputs_(outputs) {
  TORCH_CHECK(outputs_ > 0, "[value_model] needs an output");
  if (outputs_ > vocabulary()) {
    throw_caller_error(
        "a value network needs a logit for each of {} values, but its "
        "vocabulary has {} tokens; take another model",
        outputs_,
        vocabulary());
  }
  const at::NoGradGuard no_gradient;
  cut_head();
  for (const auto& parameter : steerable().parameters)
    parameter->make_shared();
  steerable().first_steered_layer = 0;
  zero_gradient();
}

void ValueModel::cut_head() {
  auto& parameters = steerable().parameters;
  for (SteerableLinear& entry : steerable().linears) {
    if (entry.kind != kHead) continue;
    const std::shared_ptr<SteeredParameter> whole =
        entry.linear->weight_handle();
    auto rows = std::make_shared<SteeredParameter>(
        kValueHead, whole->reference().narrow(0, 0, outputs_).clone());
    const bool tied = whole->name() != entry.name + ".weight";
    if (tied) {
      whole->set_tied_head(false);
    } else {
      std::erase(parameters, whole);
    }
    parameters.push_back(rows);
    *entry.linear = SteeredLinear(std::move(rows));
  }
}

std::int64_t ValueModel::parameters() const {
  std::int64_t count = 0;
  for (const auto& parameter : steerable().parameters)
    count += parameter->numel();
  return count;
}

at::Tensor ValueModel::values(const std::vector<TokenIds>& prompts) const {
  ScoreBatch batch;
  batch.prompts = prompts;
  // The completion's only token is predicted, never read.
  batch.completions.assign(prompts.size(), TokenIds{0});
  batch.prompt_of_row.resize(prompts.size());
  std::iota(batch.prompt_of_row.begin(), batch.prompt_of_row.end(), 0);
  return model_->completion_logits(batch, RowSteering::uniform(only_copy()));
}

void ValueModel::zero_gradient() {
  gradients_.assign(steerable().parameters.size(), at::Tensor());
}

void ValueModel::begin_gradient() {
  for (const auto& parameter : steerable().parameters)
    parameter->begin_gradient(only_copy());
}

void ValueModel::end_gradient() {
  for (std::size_t p = 0; p < gradients_.size(); ++p) {
    SteeredParameter& parameter = *steerable().parameters[p];
    const at::Tensor gradient = parameter.leaf().grad();
    parameter.end_gradient();
    if (!gradient.defined()) continue;
    at::Tensor& sum = gradients_[p];
    sum = sum.defined() ? sum.add_(gradient) : gradient;
  }
}

std::vector<ValueParameter> ValueModel::trained() const {
  std::vector<ValueParameter> result;
  for (std::size_t p = 0; p < gradients_.size(); ++p) {
    const SteeredParameter& parameter = *steerable().parameters[p];
    const at::Tensor& master = parameter.copies().at(0);
    result.push_back(
        {parameter.name(), master, gradients_[p], master.dim() == 2});
  }
  return result;
}

void ValueModel::masters_changed() {
  for (const auto& parameter : steerable().parameters)
    parameter->copies_changed();
}

std::map<std::string, at::Tensor> ValueModel::tensors() const {
  std::map<std::string, at::Tensor> result;
  for (const ValueParameter& parameter : trained())
    result[parameter.name] = parameter.master;
  return result;
}

void ValueModel::load(const std::map<std::string, at::Tensor>& tensors) {
  const auto own = this->tensors();
  for (const auto& [name, master] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != master.sizes() ||
        found->second.scalar_type() != at::kFloat) {
      throw_caller_error(
          "the value network's tensor '{}' is missing or has another shape; "
          "resume with the recipe that wrote it",
          name);
    }
  }
  if (tensors.size() != own.size()) {
    throw_caller_error(
        "there are {} tensors for a value network of {}; resume with the "
        "recipe that wrote them",
        tensors.size(),
        own.size());
  }
  const at::NoGradGuard no_gradient;
  for (const ValueParameter& parameter : trained()) {
    at::Tensor master = parameter.master;
    master.copy_(tensors.at(parameter.name));
  }
  masters_changed();
}

}  // namespace moft
