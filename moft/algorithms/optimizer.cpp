// Checks, counters and state of all optimizers.
#include "moft/algorithms/optimizer.h"

#include <cmath>
#include <set>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/stored_moments.h"
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

void check_steps(const std::string& name, const StoredMoments& stored) {
  const at::Tensor counter = stored.whole(name, {}, at::kLong);
  const auto steps = counter.item<std::int64_t>();
  if (steps >= 0) return;
  throw_caller_error(
      "optimizer state '{}' is {}; a counter is at least 0", name, steps);
}

// A range of a gradient is a view wherever the gradient lies.
at::Tensor gradient_of(const at::Tensor& gradient, const Shard& shard) {
  const bool cut = shard.count() != gradient.numel();
  if (!cut || !gradient.is_contiguous()) return part_of(gradient, shard);
  return gradient.view(-1).narrow(0, shard.begin, shard.count());
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
    if (gradient.defined() && gradient.sizes() != parameters[i].shape()) {
      throw_caller_error(
          "{}: the gradient of '{}' has another shape than the parameter",
          who,
          parameters[i].name);
    }
  }
}

Optimizer::Optimizer(
    std::string name,
    std::vector<TrainedTensor> parameters,
    bool dense,
    Division division,
    Ranks ranks)
    : parameters_(std::move(parameters)),
      states_(parameters_.size()),
      name_(std::move(name)),
      dense_(dense),
      ranks_(std::move(ranks)),
      own_(parameters_.size()),
      shapes_(parameters_.size()) {
  check_trained(name_, parameters_);
  shards_ = divide(parameters_, division, ranks_.size);
  for (const Shard& shard : shards_) {
    if (shard.rank == ranks_.rank) own_[shard.parameter] = shard;
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::optional<TensorPart>& part = parameters_[i].part;
    if (!part) continue;
    TORCH_CHECK(
        division == Division::kChunks, "[optimizer] needs whole parameters");
    if (part->count() > 0) own_[i] = {ranks_.rank, i, part->begin, part->end};
  }
}

void Optimizer::add_moment(
    std::size_t index, const std::string& kind, at::IntArrayRef shape) {
  shapes_[index][kind] = shape.vec();
  if (!own_[index]) return;
  const at::Tensor& master = parameters_[index].master;
  const bool whole = own_[index]->count() == parameters_[index].numel();
  const std::vector<std::int64_t> flat{own_[index]->count()};
  states_[index].moments[kind] =
      at::zeros(whole ? shape : at::IntArrayRef(flat), master.options());
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
  std::vector<bool> changed(parameters_.size(), false);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const ScaledGradient& gradient = gradients[i];
    const bool takes_part = gradient.takes_part();
    if (!takes_part && !dense_) continue;
    ++states_[i].steps;
    changed[i] = true;
    if (!own_[i]) continue;
    parts.push_back(
        {i,
         part_of(parameters_[i].master, *own_[i]),
         takes_part ? gradient_of(gradient.tensor.detach(), *own_[i])
                    : at::Tensor(),
         gradient.coefficient * gradient_factor});
  }
  update(parts, learning_rate);
  if (ranks_.size > 1) exchange(changed);
}

void Optimizer::exchange(const std::vector<bool>& changed) const {
  std::vector<Shard> shards;
  for (const Shard& shard : shards_) {
    if (changed[shard.parameter]) shards.push_back(shard);
  }
  exchange_shards(parameters_, shards, ranks_);
}

std::map<std::string, at::Tensor> Optimizer::export_state() const {
  std::map<std::string, at::Tensor> tensors;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const TrainedTensor& parameter = parameters_[i];
    for (const auto& [kind, moment] : states_[i].moments) {
      const std::string name = parameter.name + "." + kind;
      const bool whole = own_[i]->count() == parameter.numel();
      tensors[whole ? name : shard_name(name, own_[i]->begin, own_[i]->end)] =
          moment;
    }
    if (ranks_.rank != 0) continue;
    tensors[parameter.name + kSteps] =
        at::scalar_tensor(states_[i].steps, at::TensorOptions(at::kLong));
  }
  return tensors;
}

void Optimizer::import_state(const std::map<std::string, at::Tensor>& tensors) {
  const StoredMoments stored(tensors);
  std::size_t needed = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    for (const auto& [kind, shape] : shapes_[i])
      stored.check(name + "." + kind, shape);
    check_steps(name + kSteps, stored);
    needed += shapes_[i].size() + 1;
  }
  if (stored.size() != needed) {
    throw_caller_error(
        "the optimizer state has {} tensors, but the parameters need {}; "
        "resume with the recipe that wrote it",
        stored.size(),
        needed);
  }
  const at::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    for (auto& [kind, moment] : states_[i].moments)
      stored.copy(name + "." + kind, own_[i]->begin, moment);
    states_[i].steps =
        stored.whole(name + kSteps, {}, at::kLong).item<std::int64_t>();
  }
}

}  // namespace moft
