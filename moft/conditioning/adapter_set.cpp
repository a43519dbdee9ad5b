// Adapters on the chosen linear maps, and the gradients of a step per adapter.
#include "moft/conditioning/adapter_set.h"

#include <algorithm>
#include <array>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

bool is_kind(const SteerableLinear& entry, LinearKind kind) {
  if (enum_name(kind) == entry.kind) return true;
  const bool part = kind == LinearKind::kQ || kind == LinearKind::kK ||
                    kind == LinearKind::kV;
  return part && entry.kind == "qkv";
}

// A of all objectives, and B^T.
std::array<at::Tensor*, 2> leaves_of(const SteerableLinear& entry) {
  LowRankAdapters& adapters = *entry.linear->adapters();
  return {&adapters.down_all(), &adapters.up_all()};
}

// The sum of the slices that ended and the open one; undefined without any.
at::Tensor sum_of(const at::Tensor& ended, const at::Tensor& slice) {
  if (!ended.defined()) return slice;
  const at::NoGradGuard no_gradient;
  return slice.defined() ? ended + slice : ended;
}

}  // namespace

AdapterSet::AdapterSet(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    std::uint64_t seed,
    std::vector<std::shared_ptr<SteeredParameter>> whole,
    const std::string& key)
    : Conditioning(model, options, std::move(objectives)),
      weighted_(this->objectives().size(), false),
      whole_(std::move(whole)),
      whole_gradients_(whole_.size()) {
  const LoraOptions& lora = options.lora;
  const LayerRange range =
      parse_layers(lora.layers, model.layers, key + ".layers");
  model.first_steered_layer = model.layers;
  for (const SteerableLinear& entry : model.linears) {
    const bool wanted = std::any_of(
        lora.modules.begin(), lora.modules.end(), [&](LinearKind kind) {
          return is_kind(entry, kind);
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
        "{} chooses no linear map of this model; name modules among q, k, v, "
        "o, gate, up, down and layers that exist",
        key);
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
  ended_.resize(2 * adapted_.size());
  for (const auto& parameter : whole_) {
    parameter->make_shared();
    const at::Tensor& master = parameter->copies().at(0);
    trained_.push_back(
        {"shared/" + parameter->name(), master, master.dim() == 2});
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
    for (at::Tensor* leaf : leaves_of(entry))
      leaf->mutable_grad() = at::Tensor();
  }
  ended_.assign(2 * adapted_.size(), at::Tensor());
  std::fill(weighted_.begin(), weighted_.end(), false);
  std::fill(whole_gradients_.begin(), whole_gradients_.end(), GradientSum());
}

void AdapterSet::begin_gradient(const Coefficients& coefficients) {
  for (const auto& parameter : whole_)
    parameter->begin_gradient(coefficients);
}

void AdapterSet::end_gradient(const Coefficients&) {
  for (std::size_t p = 0; p < whole_.size(); ++p) {
    const at::Tensor gradient = whole_[p]->leaf().grad();
    whole_[p]->end_gradient();
    if (gradient.defined()) whole_gradients_[p].add(gradient);
  }
}

void AdapterSet::end_slice() {
  const at::NoGradGuard no_gradient;
  auto ended = ended_.begin();
  for (const SteerableLinear& entry : adapted_) {
    for (at::Tensor* leaf : leaves_of(entry)) {
      at::Tensor& sum = *ended++;
      const at::Tensor slice = leaf->grad();
      leaf->mutable_grad() = at::Tensor();
      if (!slice.defined()) continue;
      sum = sum.defined() ? sum.add_(slice) : slice;
    }
  }
  for (GradientSum& gradient : whole_gradients_)
    gradient.end_slice();
}

GradientSlice AdapterSet::take_slice() {
  GradientSlice sums;
  for (const SteerableLinear& entry : adapted_) {
    for (at::Tensor* leaf : leaves_of(entry)) {
      sums.push_back(leaf->grad());
      leaf->mutable_grad() = at::Tensor();
    }
  }
  for (GradientSum& gradient : whole_gradients_)
    sums.push_back(gradient.take());
  return sums;
}

void AdapterSet::put_slice(GradientSlice sums) {
  TORCH_CHECK(
      sums.size() == ended_.size() + whole_gradients_.size(),
      "[adapter_set] sums of another conditioning");
  auto next = sums.begin();
  auto ended = ended_.begin();
  for (const SteerableLinear& entry : adapted_) {
    for (at::Tensor* leaf : leaves_of(entry)) {
      *ended++ = next->defined() ? next->to(leaf->device()).view(leaf->sizes())
                                 : *next;
      ++next;
    }
  }
  for (std::size_t p = 0; p < whole_.size(); ++p, ++next)
    if (next->defined())
      whole_gradients_[p].add(
          next->to(whole_[p]->device()).view(whole_[p]->shape()));
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
  auto ended = ended_.begin();
  for (const SteerableLinear& entry : adapted_) {
    const std::int64_t rank = entry.linear->adapters()->rank();
    std::vector<at::Tensor> sums;
    for (at::Tensor* leaf : leaves_of(entry))
      sums.push_back(sum_of(*ended++, leaf->grad()));
    for (std::size_t i = 0; i < weighted_.size(); ++i) {
      const auto begin = static_cast<std::int64_t>(i) * rank;
      for (const at::Tensor& sum : sums) {
        const bool part = sum.defined() && weighted_[i];
        result.push_back(
            part ? ScaledGradient{sum.narrow(0, begin, rank)}
                 : ScaledGradient{});
      }
    }
  }
  for (const GradientSum& gradient : whole_gradients_)
    result.push_back({gradient.value()});
  return result;
}

void AdapterSet::masters_changed() {
  for (const SteerableLinear& entry : adapted_)
    entry.linear->adapters()->masters_changed();
  for (const auto& parameter : whole_)
    parameter->copies_changed();
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
  for (const auto& parameter : whole_)
    result[parameter->name()] = parameter->value(c);
  return result;
}

}  // namespace moft
