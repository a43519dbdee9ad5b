// Choosing the steered parameters by name, kind and layer.
#include "moft/conditioning/steered_set.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "moft/core/errors.h"
#include "moft/core/pattern.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr const char* kHead = "head";

// A layer's place within its stack.
std::int64_t place_in_stack(const Steerable& model, std::int64_t layer) {
  for (const std::int64_t count : model.stacks) {
    if (layer < count) return layer;
    layer -= count;
  }
  return layer;
}

void check_first_layers(const Steerable& model, std::int64_t wanted) {
  const auto deepest =
      std::max_element(model.stacks.begin(), model.stacks.end());
  if (deepest != model.stacks.end() && wanted > *deepest) {
    throw_caller_error(
        "conditioning.attention.layers is {} but the model's stacks have at "
        "most {} layers; give at most that, or null for all",
        wanted,
        *deepest);
  }
}

bool is_attention(const SteerableLinear& entry) {
  constexpr std::string_view kKinds = "qkvo";
  return entry.kind.size() == 1 &&
         kKinds.find(entry.kind) != std::string_view::npos;
}

bool in_set(
    const Steerable& model,
    const SteerableLinear& entry,
    const ConditioningOptions& options) {
  if (options.steered_set == SteeredSet::kLogits) return entry.kind == kHead;
  if (!is_attention(entry)) return false;
  const auto& layers = options.attention.layers;
  return !layers || place_in_stack(model, entry.layer) < *layers;
}

std::vector<bool> choose_linears(
    const Steerable& model, const ConditioningOptions& options) {
  std::vector<bool> chosen(model.parameters.size(), false);
  for (const SteerableLinear& entry : model.linears) {
    if (!in_set(model, entry, options)) continue;
    const auto found = std::find(
        model.parameters.begin(),
        model.parameters.end(),
        entry.linear->weight_handle());
    chosen.at(static_cast<std::size_t>(found - model.parameters.begin())) =
        true;
  }
  return chosen;
}

std::vector<bool> choose_by_name(
    const Steerable& model, const std::string& text) {
  const Pattern pattern(text, "conditioning.pattern");
  std::vector<bool> chosen;
  for (const auto& parameter : model.parameters)
    chosen.push_back(pattern.found_in(parameter->name()));
  return chosen;
}

std::vector<bool> choose(
    const Steerable& model, const ConditioningOptions& options) {
  switch (options.steered_set) {
    case SteeredSet::kFull:
      return std::vector<bool>(model.parameters.size(), true);
    case SteeredSet::kNone:
      return std::vector<bool>(model.parameters.size(), false);
    case SteeredSet::kPattern:
      return choose_by_name(model, options.pattern);
    default:
      return choose_linears(model, options);
  }
}

bool is_tied(const SteerableLinear& entry) {
  return entry.linear->weight().name() != entry.name + ".weight";
}

}  // namespace

void untie_head(Steerable& model) {
  for (SteerableLinear& entry : model.linears) {
    if (entry.kind != kHead || !is_tied(entry)) continue;
    SteeredParameter& embedding = entry.linear->weight();
    auto own = std::make_shared<SteeredParameter>(
        entry.name + ".weight", embedding.reference().clone());
    embedding.set_tied_head(false);
    entry.linear->replace_weight(own);
    model.parameters.push_back(std::move(own));
    model.head_untied = true;
  }
}

std::vector<bool> choose_steered(
    Steerable& model, const ConditioningOptions& options) {
  if (options.steered_set == SteeredSet::kLogits) untie_head(model);
  if (options.steered_set == SteeredSet::kAttention &&
      options.attention.layers) {
    check_first_layers(model, *options.attention.layers);
  }
  std::vector<bool> chosen = choose(model, options);
  const bool some =
      std::find(chosen.begin(), chosen.end(), true) != chosen.end();
  if (!some && options.steered_set == SteeredSet::kPattern) {
    throw_caller_error(
        "conditioning.pattern {} is found in no parameter of this model; their "
        "names are like {}",
        quote_text(options.pattern),
        quote_text(model.parameters.back()->name()));
  }
  return chosen;
}

std::int64_t first_layer_of(
    const Steerable& model, const std::vector<bool>& marked) {
  std::map<const SteeredParameter*, std::int64_t> layer_of;
  for (const SteerableLinear& entry : model.linears) {
    // A tied head's matrix is the embedding, below every layer.
    const bool tied = entry.kind == kHead && is_tied(entry);
    layer_of[&entry.linear->weight()] = tied ? 0 : entry.layer;
    if (entry.linear->bias() != nullptr) {
      layer_of[entry.linear->bias().get()] = entry.layer;
    }
  }
  std::int64_t first = model.layers;
  for (std::size_t p = 0; p < marked.size(); ++p) {
    if (!marked[p]) continue;
    const auto found = layer_of.find(model.parameters[p].get());
    first = std::min(first, found == layer_of.end() ? 0 : found->second);
  }
  return first;
}

}  // namespace moft
