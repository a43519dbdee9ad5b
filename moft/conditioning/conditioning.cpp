// Installs copies or adapters on a model and collects their gradients.
#include "moft/conditioning/conditioning.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/conditioning/steered_set.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

const std::string kShared = "shared";

bool is_matrix(const at::Tensor& tensor) {
  return tensor.dim() == 2;
}

}  // namespace

Conditioning::Conditioning(
    Steerable& model,
    const ConditioningOptions& options,
    std::vector<std::string> objectives,
    std::uint64_t seed)
    : model_(model), options_(options), objectives_(std::move(objectives)) {
  TORCH_CHECK(!objectives_.empty(), "[conditioning] needs an objective");
  weighted_.assign(objectives_.size(), false);
  for (const auto& parameter : model_.parameters)
    plain_parameters_ += parameter->numel();
  if (options_.steered_set == SteeredSet::kLora) {
    install_lora(seed);
  } else {
    install_copies();
  }
}

void Conditioning::install_copies() {
  const auto count = static_cast<std::int64_t>(objectives_.size());
  std::vector<bool> differs = choose_steered(model_, options_);
  for (std::size_t p = 0; p < differs.size(); ++p) {
    if (differs[p]) {
      model_.parameters[p]->make_steered(count);
    } else if (!options_.freeze_shared) {
      model_.parameters[p]->make_shared();
      differs[p] = true;  // from the reference
    }
  }
  accumulated_.resize(model_.parameters.size());
  model_.first_steered_layer = first_layer_of(model_, differs);
}

void Conditioning::install_lora(std::uint64_t seed) {
  const LoraOptions& lora = options_.lora;
  const LayerRange range =
      parse_layers(lora.layers, model_.layers, "conditioning.lora.layers");
  model_.first_steered_layer = model_.layers;
  for (const SteerableLinear& entry : model_.linears) {
    const bool wanted = std::any_of(
        lora.modules.begin(), lora.modules.end(), [&](LinearKind kind) {
          return enum_name(kind) == entry.kind;
        });
    if (!wanted || !range.contains(entry.layer)) continue;
    LowRankAdapters adapters(
        entry.linear->in(),
        entry.linear->out(),
        static_cast<std::int64_t>(objectives_.size()),
        lora.rank,
        lora.scale,
        entry.linear->weight().device());
    adapters.initialise(seed, static_cast<std::uint32_t>(adapted_.size()));
    adapters.down_all().set_requires_grad(true);
    adapters.up_all().set_requires_grad(true);
    entry.linear->add_adapters(std::move(adapters));
    model_.first_steered_layer =
        std::min(model_.first_steered_layer, entry.layer);
    adapted_.push_back(entry);
  }
  if (adapted_.empty()) {
    throw_caller_error(
        "conditioning.lora chooses no linear map of this model; name modules "
        "among q, k, v, o, gate, up, down and layers that exist");
  }
}

ParameterCounts Conditioning::counts() const {
  const auto objectives = static_cast<std::int64_t>(objectives_.size());
  ParameterCounts counts;
  counts.model = plain_parameters_;
  std::int64_t trained_shared = 0;
  for (const auto& parameter : model_.parameters) {
    const bool steered = parameter->role() == ParameterRole::kSteered;
    (steered ? counts.steered : counts.shared) += parameter->numel();
    if (parameter->role() == ParameterRole::kShared) {
      trained_shared += parameter->numel();
    }
  }
  for (const SteerableLinear& entry : adapted_) {
    counts.steered += entry.linear->adapters()->down(0).numel() +
                      entry.linear->adapters()->up(0).numel();
  }
  counts.trained = counts.steered * objectives + trained_shared;
  counts.policy = counts.steered * objectives + counts.shared;
  return counts;
}

// Copies that are rounded one by one do not sum to the rounded mixture, so
// weights in bf16 are mixed first in every job.
SteeringWay Conditioning::way_for(std::int64_t distinct) const {
  const auto sources = static_cast<std::int64_t>(objectives_.size()) + 1;
  const auto& parameters = model_.parameters;
  const bool rounded = std::any_of(
      parameters.begin(), parameters.end(), [](const auto& parameter) {
        return parameter->steered() &&
               parameter->storage() != kernels::Storage::kFloat32;
      });
  return distinct > sources && !rounded ? SteeringWay::kWide
                                        : SteeringWay::kMixed;
}

void Conditioning::expect_steerings(std::int64_t distinct) {
  const SteeringWay way = way_for(distinct);
  for (const auto& parameter : model_.parameters)
    parameter->set_way(way);
}

std::string Conditioning::steering_way(std::int64_t distinct) const {
  if (options_.steered_set == SteeredSet::kLora) return "low-rank adapters";
  return way_for(distinct) == SteeringWay::kWide ? "wide product"
                                                 : "mixed weights";
}

void Conditioning::zero_gradient() {
  for (Accumulated& entry : accumulated_)
    entry = Accumulated();
  for (const SteerableLinear& entry : adapted_) {
    entry.linear->adapters()->down_all().mutable_grad() = at::Tensor();
    entry.linear->adapters()->up_all().mutable_grad() = at::Tensor();
  }
  std::fill(weighted_.begin(), weighted_.end(), false);
}

void Conditioning::begin_gradient(const Coefficients& coefficients) {
  for (std::size_t p = 0; p < accumulated_.size(); ++p) {
    SteeredParameter& parameter = *model_.parameters[p];
    if (parameter.role() == ParameterRole::kFrozen) continue;
    parameter.begin_gradient(coefficients);
  }
}

void Conditioning::end_gradient(const Coefficients& coefficients) {
  for (std::size_t p = 0; p < accumulated_.size(); ++p) {
    SteeredParameter& parameter = *model_.parameters[p];
    if (parameter.role() == ParameterRole::kFrozen) continue;
    accumulate(p, coefficients);
    parameter.end_gradient();
  }
}

void Conditioning::accumulate(std::size_t index, const Coefficients& c) {
  const at::Tensor gradient = model_.parameters[index]->leaf().grad();
  if (!gradient.defined()) return;
  Accumulated& sum = accumulated_[index];
  if (model_.parameters[index]->role() == ParameterRole::kShared) {
    sum.single = sum.single.defined() ? sum.single.add_(gradient) : gradient;
    return;
  }
  if (!sum.coefficients && sum.per_copy.empty()) {
    sum.coefficients = c;
    sum.single = gradient;
    return;
  }
  if (sum.coefficients == c) {
    sum.single.add_(gradient);
    return;
  }
  make_per_copy(sum);
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    if (c.copy(i) == 0.0) continue;
    at::Tensor& copy = sum.per_copy[i];
    if (copy.defined()) {
      copy.add_(gradient, c.copy(i));
    } else {
      copy = gradient * c.copy(i);
    }
  }
}

void Conditioning::make_per_copy(Accumulated& sum) {
  if (!sum.coefficients) return;
  sum.per_copy.resize(objectives_.size());
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    const double c = sum.coefficients->copy(i);
    if (c != 0.0) sum.per_copy[i] = sum.single * c;
  }
  sum.single = at::Tensor();
  sum.coefficients.reset();
}

void Conditioning::note_steerings(const std::vector<Coefficients>& steerings) {
  for (const Coefficients& c : steerings) {
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
      if (c.copy(i) != 0.0) weighted_[i] = true;
    }
  }
}

void Conditioning::add_trained_copies(
    std::size_t index, std::vector<TrainedParameter>& result) const {
  const SteeredParameter& parameter = *model_.parameters[index];
  const Accumulated& sum = accumulated_[index];
  const bool shared = parameter.role() == ParameterRole::kShared;
  for (std::size_t i = 0; i < parameter.copies().size(); ++i) {
    TrainedParameter entry;
    entry.name = (shared ? kShared : objectives_[i]) + "/" + parameter.name();
    entry.master = parameter.copies()[i];
    entry.decays = is_matrix(entry.master);
    if (shared) {
      entry.gradient = sum.single;
    } else {
      entry.copy = i;
    }
    if (sum.coefficients) {
      if (sum.coefficients->copy(i) != 0.0) {
        entry.gradient = sum.single;
        entry.coefficient = sum.coefficients->copy(i);
      }
    } else if (!sum.per_copy.empty()) {
      entry.gradient = sum.per_copy[i];
    }
    result.push_back(std::move(entry));
  }
}

void Conditioning::add_trained_adapters(
    std::vector<TrainedParameter>& result) const {
  for (const SteerableLinear& linear : adapted_) {
    LowRankAdapters& adapters = *linear.linear->adapters();
    const auto add = [&](std::size_t i,
                         const char* suffix,
                         const at::Tensor& master,
                         const at::Tensor& all) {
      TrainedParameter entry;
      entry.name = objectives_[i] + "/" + linear.name + suffix;
      entry.master = master;
      entry.copy = i;
      if (all.grad().defined() && weighted_[i]) {
        entry.gradient = all.grad().narrow(
            0, static_cast<std::int64_t>(i) * adapters.rank(), adapters.rank());
      }
      result.push_back(std::move(entry));
    };
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
      const auto copy = static_cast<std::int64_t>(i);
      add(i, ".lora_A.weight", adapters.down(copy), adapters.down_all());
      add(i, ".lora_B.weight", adapters.up(copy), adapters.up_all());
    }
  }
}

std::vector<TrainedParameter> Conditioning::trained() const {
  std::vector<TrainedParameter> result;
  for (std::size_t p = 0; p < accumulated_.size(); ++p)
    add_trained_copies(p, result);
  add_trained_adapters(result);
  return result;
}

void Conditioning::masters_changed() {
  for (const SteerableLinear& entry : adapted_)
    entry.linear->adapters()->masters_changed();
  for (const auto& parameter : model_.parameters) {
    if (parameter->role() != ParameterRole::kFrozen) {
      parameter->copies_changed();
    }
  }
}

std::map<std::string, at::Tensor> Conditioning::tensors() const {
  std::map<std::string, at::Tensor> result;
  for (const TrainedParameter& entry : trained()) {
    const bool up = entry.name.ends_with(".lora_B.weight");
    result[entry.name] = up ? entry.master.t().contiguous() : entry.master;
  }
  return result;
}

std::vector<std::string> Conditioning::tensor_names() const {
  std::vector<std::string> names;
  for (const auto& entry : trained())
    names.push_back(entry.name);
  return names;
}

void Conditioning::load(const ReadTensor& read) {
  at::NoGradGuard no_gradient;
  for (TrainedParameter& entry : trained()) {
    std::vector<std::int64_t> shape = entry.master.sizes().vec();
    const bool up = entry.name.ends_with(".lora_B.weight");
    if (up) std::reverse(shape.begin(), shape.end());
    const at::Tensor value = read(entry.name, shape);
    entry.master.copy_(up ? value.t() : value);
  }
  masters_changed();
}

std::map<std::string, at::Tensor> Conditioning::merged(
    const Coefficients& c) const {
  at::NoGradGuard no_gradient;
  std::map<std::string, at::Tensor> result;
  for (const auto& parameter : model_.parameters) {
    if (parameter->role() == ParameterRole::kFrozen) continue;
    result[parameter->name()] = parameter->value(c);
  }
  for (const SteerableLinear& entry : adapted_) {
    const SteeredParameter& weight = entry.linear->weight();
    result[weight.name()] = (weight.reference().to(at::kDouble) +
                             entry.linear->adapters()->delta(c))
                                .to(at::kFloat);
  }
  return result;
}

}  // namespace moft
