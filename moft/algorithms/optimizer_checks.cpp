// Checks that optimizers share.
#include "moft/algorithms/optimizer_checks.h"

#include <cmath>
#include <set>

#include "moft/core/errors.h"

namespace moft {

void check_trained(
    std::string_view who, const std::vector<TrainedTensor>& parameters) {
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

void check_step(
    std::string_view who,
    const std::vector<TrainedTensor>& parameters,
    const std::vector<ScaledGradient>& gradients,
    double learning_rate,
    double gradient_factor) {
  if (gradients.size() != parameters.size()) {
    throw_caller_error(
        "{}: {} gradients meet {} parameters; give one each",
        who,
        gradients.size(),
        parameters.size());
  }
  if (!(std::isfinite(learning_rate) && learning_rate >= 0.0) ||
      !std::isfinite(gradient_factor)) {
    throw_caller_error(
        "{}: learning rate {} with gradient factor {}; give finite numbers",
        who,
        learning_rate,
        gradient_factor);
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

const at::Tensor& stored_state(
    const std::map<std::string, at::Tensor>& tensors,
    const std::string& name,
    at::IntArrayRef shape,
    at::ScalarType type) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw_caller_error(
        "optimizer state '{}' is missing; resume from a complete checkpoint",
        name);
  }
  if (found->second.sizes() != shape || found->second.scalar_type() != type) {
    throw_caller_error(
        "optimizer state '{}' has another shape or type than its parameter; "
        "resume with the recipe that wrote it",
        name);
  }
  return found->second;
}

std::int64_t stored_steps(
    const std::map<std::string, at::Tensor>& tensors,
    const std::string& parameter) {
  const auto steps = stored_state(tensors, parameter + ".steps", {}, at::kLong)
                         .item<std::int64_t>();
  if (steps < 0) {
    throw_caller_error(
        "optimizer state '{}.steps' is {}; a counter is at least 0",
        parameter,
        steps);
  }
  return steps;
}

void check_state_count(
    const std::map<std::string, at::Tensor>& tensors, std::size_t expected) {
  if (tensors.size() == expected) return;
  throw_caller_error(
      "the optimizer state has {} tensors, but the parameters need {}; resume "
      "with the recipe that wrote it",
      tensors.size(),
      expected);
}

}  // namespace moft
