// Checks, counters and state of all optimizers.
#include "moft/algorithms/optimizer.h"

#include <cmath>
#include <set>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kSteps = ".steps";

void check_trained(
    const std::string& who, const std::vector<TrainedTensor>& parameters) {
  std::set<std::string> names;
  for (const TrainedTensor& parameter : parameters) {
    if (!names.insert(parameter.name).second) {
      throw_caller_error(
          "{}: two parameters are named '{}'; names must be distinct",
          who,
          parameter.name);
    }
    if (!parameter.master.defined() ||
        parameter.master.scalar_type() != at::kFloat) {
      throw_caller_error(
          "{}: the master of '{}' is not float32; keep masters in float32",
          who,
          parameter.name);
    }
  }
}

// CallerError unless `tensors` has every tensor of `own`, and nothing else.
void check_stored(
    const std::map<std::string, at::Tensor>& tensors,
    const std::map<std::string, at::Tensor>& own) {
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      throw_caller_error(
          "optimizer state '{}' is missing; resume from a complete checkpoint",
          name);
    }
    if (found->second.sizes() != tensor.sizes() ||
        found->second.scalar_type() != tensor.scalar_type()) {
      throw_caller_error(
          "optimizer state '{}' has another shape or type than its parameter; "
          "resume with the recipe that wrote it",
          name);
    }
    if (!name.ends_with(kSteps) || found->second.scalar_type() != at::kLong)
      continue;
    const auto steps = found->second.item<std::int64_t>();
    if (steps < 0) {
      throw_caller_error(
          "optimizer state '{}' is {}; a counter is at least 0", name, steps);
    }
  }
  if (tensors.size() != own.size()) {
    throw_caller_error(
        "the optimizer state has {} tensors, but the parameters need {}; "
        "resume with the recipe that wrote it",
        tensors.size(),
        own.size());
  }
}

}  // namespace

void check_gradients(
    const std::string& who,
    const std::vector<TrainedTensor>& parameters,
    const std::vector<ScaledGradient>& gradients) {
  if (gradients.size() != parameters.size()) {
    throw_caller_error(
        "{}: {} gradients meet {} parameters; give one each",
        who,
        gradients.size(),
        parameters.size());
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor& gradient = gradients[i].tensor;
    if (gradient.defined() &&
        gradient.sizes() != parameters[i].master.sizes()) {
      throw_caller_error(
          "{}: the gradient of '{}' has another shape than the parameter",
          who,
          parameters[i].name);
    }
  }
}

Optimizer::Optimizer(
    std::string name, std::vector<TrainedTensor> parameters, bool dense)
    : parameters_(std::move(parameters)),
      states_(parameters_.size()),
      name_(std::move(name)),
      dense_(dense) {
  check_trained(name_, parameters_);
}

void Optimizer::step(
    const std::vector<ScaledGradient>& gradients,
    double learning_rate,
    double gradient_factor) {
  check_gradients(name_, parameters_, gradients);
  if (!(std::isfinite(learning_rate) && learning_rate >= 0.0) ||
      !std::isfinite(gradient_factor)) {
    throw_caller_error(
        "{}: learning rate {} with gradient factor {}; give finite numbers",
        name_,
        learning_rate,
        gradient_factor);
  }
  const at::NoGradGuard no_gradient;
  std::vector<Part> parts;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const ScaledGradient& gradient = gradients[i];
    const bool takes_part = gradient.takes_part();
    if (!takes_part && !dense_) continue;
    ++states_[i].steps;
    parts.push_back(
        {i,
         takes_part ? gradient.tensor.detach() : at::Tensor(),
         gradient.coefficient * gradient_factor});
  }
  update(parts, learning_rate);
}

std::map<std::string, at::Tensor> Optimizer::export_state() const {
  std::map<std::string, at::Tensor> tensors;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    for (const auto& [kind, moment] : states_[i].moments)
      tensors[name + "." + kind] = moment;
    tensors[name + kSteps] =
        at::scalar_tensor(states_[i].steps, at::TensorOptions(at::kLong));
  }
  return tensors;
}

void Optimizer::import_state(const std::map<std::string, at::Tensor>& tensors) {
  check_stored(tensors, export_state());
  const at::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    for (auto& [kind, moment] : states_[i].moments)
      moment.copy_(tensors.at(name + "." + kind));
    states_[i].steps = tensors.at(name + kSteps).item<std::int64_t>();
  }
}

}  // namespace moft
