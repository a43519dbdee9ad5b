// Adapters on the chosen linear maps, and the gradients of a step per adapter.
#include "moft/conditioning/adapter_set.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft {

AdapterSet::AdapterSet(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    std::uint64_t seed)
    : Conditioning(model, options, std::move(objectives)),
      weighted_(this->objectives().size(), false) {
  const LoraOptions& lora = options.lora;
  const LayerRange range =
      parse_layers(lora.layers, model.layers, "conditioning.lora.layers");
  model.first_steered_layer = model.layers;
  for (const SteerableLinear& entry : model.linears) {
    const bool wanted = std::any_of(
        lora.modules.begin(), lora.modules.end(), [&](LinearKind kind) {
          return enum_name(kind) == entry.kind;
        });
    if (!wanted || !range.contains(entry.layer)) continue;
    LowRankAdapters adapters(
        entry.linear->in(),
        entry.linear->out(),
        static_cast<std::int64_t>(weighted_.size()),
        lora.rank,
        lora.scale,
        entry.linear->weight().device());
    adapters.initialise(seed, static_cast<std::uint32_t>(adapted_.size()));
    adapters.down_all().set_requires_grad(true);
    adapters.up_all().set_requires_grad(true);
    entry.linear->add_adapters(std::move(adapters));
    model.first_steered_layer =
        std::min(model.first_steered_layer, entry.layer);
    adapted_.push_back(entry);
  }
  if (adapted_.empty()) {
    throw_caller_error(
        "conditioning.lora chooses no linear map of this model; name modules "
        "among q, k, v, o, gate, up, down and layers that exist");
  }
  for (const SteerableLinear& entry : adapted_) {
    LowRankAdapters& adapters = *entry.linear->adapters();
    for (std::size_t i = 0; i < weighted_.size(); ++i) {
      const auto copy = static_cast<std::int64_t>(i);
      const std::string name = this->objectives()[i] + "/" + entry.name;
      trained_.push_back(
          {.name = name + ".lora_A.weight",
           .master = adapters.down(copy),
           .copy = i});
      trained_.push_back(
          {.name = name + ".lora_B.weight",
           .master = adapters.up(copy),
           .copy = i,
           .transposed_in_files = true});
    }
  }
}

std::int64_t AdapterSet::added() const {
  std::int64_t numbers = 0;
  for (const SteerableLinear& entry : adapted_) {
    numbers += entry.linear->adapters()->down(0).numel() +
               entry.linear->adapters()->up(0).numel();
  }
  return numbers;
}

void AdapterSet::zero_gradient() {
  for (const SteerableLinear& entry : adapted_) {
    entry.linear->adapters()->down_all().mutable_grad() = at::Tensor();
    entry.linear->adapters()->up_all().mutable_grad() = at::Tensor();
  }
  std::fill(weighted_.begin(), weighted_.end(), false);
}

void AdapterSet::note_steerings(const std::vector<Coefficients>& steerings) {
  for (const Coefficients& c : steerings) {
    for (std::size_t i = 0; i < weighted_.size(); ++i) {
      if (c.copy(i) != 0.0) weighted_[i] = true;
    }
  }
}

std::vector<ScaledGradient> AdapterSet::gradients() const {
  std::vector<ScaledGradient> result;
  for (const SteerableLinear& entry : adapted_) {
    LowRankAdapters& adapters = *entry.linear->adapters();
    for (std::size_t i = 0; i < weighted_.size(); ++i) {
      const auto begin = static_cast<std::int64_t>(i) * adapters.rank();
      for (const at::Tensor& all : {adapters.down_all(), adapters.up_all()}) {
        const at::Tensor& sum = all.grad();
        const bool part = sum.defined() && weighted_[i];
        result.push_back(
            part ? ScaledGradient{sum.narrow(0, begin, adapters.rank())}
                 : ScaledGradient{});
      }
    }
  }
  return result;
}

void AdapterSet::masters_changed() {
  for (const SteerableLinear& entry : adapted_)
    entry.linear->adapters()->masters_changed();
}

std::map<std::string, at::Tensor> AdapterSet::merged(
    const Coefficients& c) const {
  at::NoGradGuard no_gradient;
  std::map<std::string, at::Tensor> result;
  for (const SteerableLinear& entry : adapted_) {
    const SteeredParameter& weight = entry.linear->weight();
    result[weight.name()] = (weight.reference().to(at::kDouble) +
                             entry.linear->adapters()->delta(c))
                                .to(at::kFloat);
  }
  return result;
}

}  // namespace moft
