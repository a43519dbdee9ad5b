// Reads texts through a head and trains every parameter below it.
#include "moft/models/headed_model.h"

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// What every parameter is multiplied by: there is one copy of each.
Coefficients only_copy() {
  return Coefficients(0.0, Weighting::uniform(1));
}

}  // namespace

at::Tensor read_states(
    SequenceModel& model,
    const std::vector<TokenIds>& texts,
    ReadAt read_at,
    const RowSteering& steering) {
  if (read_at == ReadAt::kLastToken) return model.last_states(texts, steering);
  const at::Tensor states = model.token_states(texts, steering);
  std::vector<at::Tensor> read;
  std::int64_t first = 0;
  for (const TokenIds& text : texts) {
    const std::int64_t length = std::ssize(text);
    read.push_back(
        read_at == ReadAt::kMean ? states.narrow(0, first, length).mean(0)
                                 : states[first]);
    first += length;
  }
  return at::stack(read);
}

HeadedModel::HeadedModel(
    std::shared_ptr<SequenceModel> model,
    ReadAt read_at,
    std::optional<Head> head)
    : model_(std::move(model)), read_at_(read_at), headed_(head.has_value()) {
  if (headed_) {
    model_->replace_head(
        std::make_shared<SteeredParameter>(head->name, head->weight));
  }
}

std::int64_t HeadedModel::outputs() const {
  return headed_ ? model_->head().out() : model_->info().width;
}

std::int64_t HeadedModel::parameters() const {
  std::int64_t count = 0;
  for (const auto& parameter : steerable().parameters)
    count += parameter->numel();
  return count;
}

at::Tensor HeadedModel::forward(const std::vector<TokenIds>& texts) const {
  const RowSteering steering = RowSteering::uniform(only_copy());
  const at::Tensor states = read_states(*model_, texts, read_at_, steering);
  return headed_ ? model_->head().forward(states, steering) : states;
}

void HeadedModel::make_trainable() {
  const at::NoGradGuard no_gradient;
  for (const auto& parameter : steerable().parameters)
    parameter->make_shared();
  steerable().first_steered_layer = 0;
  zero_gradient();
}

void HeadedModel::zero_gradient() {
  gradients_.assign(steerable().parameters.size(), GradientSum());
}

void HeadedModel::begin_gradient() {
  for (const auto& parameter : steerable().parameters)
    parameter->begin_gradient(only_copy());
}

void HeadedModel::end_gradient() {
  for (std::size_t p = 0; p < gradients_.size(); ++p) {
    SteeredParameter& parameter = *steerable().parameters[p];
    const at::Tensor gradient = parameter.leaf().grad();
    parameter.end_gradient();
    if (gradient.defined()) gradients_[p].add(gradient);
  }
}

void HeadedModel::end_slice() {
  for (GradientSum& gradient : gradients_)
    gradient.end_slice();
}

GradientSlice HeadedModel::take_slice() {
  GradientSlice sums;
  for (GradientSum& gradient : gradients_)
    sums.push_back(gradient.take());
  return sums;
}

void HeadedModel::put_slice(GradientSlice sums) {
  TORCH_CHECK(
      sums.size() == gradients_.size(), "[headed_model] sums of another model");
  for (std::size_t p = 0; p < sums.size(); ++p) {
    const SteeredParameter& parameter = *steerable().parameters[p];
    if (sums[p].defined())
      gradients_[p].add(sums[p].to(parameter.device()).view(parameter.shape()));
  }
}

std::vector<HeadedParameter> HeadedModel::trained() const {
  std::vector<HeadedParameter> result;
  for (std::size_t p = 0; p < gradients_.size(); ++p) {
    const SteeredParameter& parameter = *steerable().parameters[p];
    const at::Tensor& master = parameter.copies().at(0);
    result.push_back(
        {parameter.name(), master, gradients_[p].value(), master.dim() == 2});
  }
  return result;
}

void HeadedModel::masters_changed() {
  for (const auto& parameter : steerable().parameters)
    parameter->copies_changed();
}

std::map<std::string, at::Tensor> HeadedModel::tensors() const {
  std::map<std::string, at::Tensor> result;
  for (const HeadedParameter& parameter : trained())
    result[parameter.name] = parameter.master;
  return result;
}

void HeadedModel::load(const std::map<std::string, at::Tensor>& tensors) {
  const auto own = this->tensors();
  for (const auto& [name, master] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != master.sizes() ||
        found->second.scalar_type() != at::kFloat) {
      throw_caller_error(
          "the tensor '{}' of a model with its own head is missing or has "
          "another shape; resume with the recipe that wrote it",
          name);
    }
  }
  if (tensors.size() != own.size()) {
    throw_caller_error(
        "found {} tensors for a model of {}; resume with the recipe that "
        "wrote them",
        tensors.size(),
        own.size());
  }
  const at::NoGradGuard no_gradient;
  for (const HeadedParameter& parameter : trained()) {
    at::Tensor master = parameter.master;
    master.copy_(tensors.at(parameter.name));
  }
  masters_changed();
}

}  // namespace moft
