// Reads adapters into the copies of objectives.
#include "moft/generation/adapter_start.h"

#include <algorithm>
#include <set>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/models/merged_adapter.h"
#include "moft/models/model_tensors.h"

namespace moft {
namespace {

// Null for a module that is not a linear map.
const SteerableLinear* find_linear(
    const Steerable& model, const std::string& module) {
  const auto found = std::ranges::find_if(
      model.linears,
      [&](const SteerableLinear& entry) { return entry.name == module; });
  return found == model.linears.end() ? nullptr : &*found;
}

std::optional<LinearKind> kind_of(const SteerableLinear& linear) {
  for (const auto& [kind, name] : enum_names(LinearKind{}))
    if (name == linear.kind) return kind;
  return std::nullopt;
}

[[noreturn]] void refuse(
    const PeftAdapter& adapter, const std::string& what, const char* cure) {
  throw_caller_error("{}: {}; {}", adapter.tensors().describe(), what, cure);
}

// What no copy can hold, whatever conditioning.lora says.
void check_kind(const PeftAdapter& adapter, const Steerable& model) {
  constexpr const char* kCure =
      "an objective's copy is a plain adapter: merge this one into a base "
      "instead (policy.adapter)";
  adapter.check_modules(adaptable_modules(model));
  if (!adapter.whole().empty())
    refuse(
        adapter,
        "replaces " + quote_text(adapter.whole().begin()->first, 200) +
            " as a whole (modules_to_save or bias)",
        kCure);
  for (const auto& [module, update] : adapter.updates()) {
    if (update.magnitude) refuse(adapter, "is DoRA (use_dora)", kCure);
    const SteerableLinear* linear = find_linear(model, module);
    if (linear == nullptr || !kind_of(*linear))
      refuse(
          adapter,
          "changes " + quote_text(module, 200) +
              ", which is not q, k, v, o, gate, up or down of a layer",
          kCure);
    check_update_shape(
        adapter, module, {linear->linear->out(), linear->linear->in()});
  }
}

void check_place(
    const PeftAdapter& adapter,
    const LoraOptions& lora,
    const Steerable& model) {
  const LayerRange range =
      parse_layers(lora.layers, model.layers, "conditioning.lora.layers");
  for (const auto& [module, update] : adapter.updates()) {
    const SteerableLinear& linear = *find_linear(model, module);
    const LinearKind kind = kind_of(linear).value();
    if (std::ranges::find(lora.modules, kind) == lora.modules.end())
      refuse(
          adapter,
          "changes " + quote_text(module, 200),
          "add its kind to conditioning.lora.modules");
    if (!range.contains(linear.layer))
      refuse(
          adapter,
          "changes " + quote_text(module, 200),
          "add its layer to conditioning.lora.layers");
    if (update.rank() > lora.rank)
      refuse(
          adapter,
          fmt::format("has rank {}", update.rank()),
          "give conditioning.lora.rank at least that");
  }
}

}  // namespace

LoraOptions lora_of_adapters(const Adapters& adapters, const Steerable& model) {
  std::set<LinearKind> kinds;
  std::set<std::int64_t> layers;
  std::set<double> scales;
  LoraOptions lora;
  lora.rank = 1;
  for (const auto& [objective, adapter] : adapters) {
    check_kind(adapter, model);
    for (const auto& [module, update] : adapter.updates()) {
      const SteerableLinear& linear = *find_linear(model, module);
      kinds.insert(kind_of(linear).value());
      layers.insert(linear.layer);
      scales.insert(update.scale);
      lora.rank = std::max(lora.rank, update.rank());
    }
  }
  const double scale = *scales.begin();
  lora.scale = scales.size() == 1 && scale > 0 ? scale : 1.0;
  lora.modules.assign(kinds.begin(), kinds.end());
  const std::int64_t first = *layers.begin(), last = *layers.rbegin();
  if (first > 0 || last < model.layers - 1)
    lora.layers = fmt::format("{}..{}", first, last);
  return lora;
}

void check_adapter_start(
    const Adapters& adapters,
    const PolicyDefinition& definition,
    const Steerable& model) {
  const ConditioningOptions& options = definition.conditioning;
  if (options.steered_set != SteeredSet::kLora) {
    throw_caller_error(
        "policy.start names PEFT adapters, but conditioning.steered_set is {}; "
        "give steered_set: lora, or merge an adapter into the base "
        "(policy.adapter)",
        enum_name(options.steered_set));
  }
  for (const auto& [objective, adapter] : adapters) {
    const auto known = [&, name = objective](const PolicyObjective& own) {
      return own.name == name;
    };
    if (std::ranges::none_of(definition.objectives, known)) {
      throw_caller_error(
          "policy.start names an adapter for {}, which is not an objective of "
          "the recipe; give the names of its objectives",
          quote_text(objective));
    }
    check_kind(adapter, model);
    check_place(adapter, options.lora, model);
  }
}

void start_from_adapters(SteeredPolicy& policy, const Adapters& adapters) {
  at::NoGradGuard no_gradient;
  const Steerable& model = policy.model().steerable();
  check_adapter_start(adapters, policy.definition(), model);
  Conditioning& conditioning = *policy.conditioning();
  const double own_scale = policy.definition().conditioning.lora.scale;
  auto tensors = conditioning.tensors();
  for (const auto& [objective, adapter] : adapters) {
    const auto& files = adapter.tensors();
    const auto read = [&files](const TensorView& view) {
      return read_tensor(files, view.name, view.shape);
    };
    for (const auto& [module, update] : adapter.updates()) {
      const std::string name = objective + "/" + module;
      const std::int64_t rank = update.rank();
      at::Tensor& down = tensors.at(name + ".lora_A.weight");
      down = down.detach().to(at::kCPU).clone();
      down.narrow(0, 0, rank).copy_(read(update.down));
      at::Tensor& up = tensors.at(name + ".lora_B.weight");
      up = at::zeros(up.sizes(), at::kFloat);
      up.narrow(1, 0, rank)
          .copy_(read(update.up).to(at::kDouble) * (update.scale / own_scale));
    }
  }
  conditioning.load(
      [&](const std::string& name, const std::vector<std::int64_t>&) {
        return tensors.at(name);
      });
}

}  // namespace moft
