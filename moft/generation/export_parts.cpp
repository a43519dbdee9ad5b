// Weights and notes of exports.
#include "moft/generation/export_parts.h"

#include <map>

#include "moft/core/fields.h"

namespace moft {
namespace {

constexpr const char* kHeadWeight = "lm_head.weight";

}  // namespace

NamedWeights weights_under(const SteeredPolicy& policy, const Coefficients& c) {
  const Steerable& model = policy.base().model->steerable();
  std::map<std::string, at::Tensor> merged;
  if (policy.conditioning() != nullptr) {
    merged = policy.conditioning()->merged(c);
  }
  NamedWeights weights;
  for (const auto& parameter : model.parameters) {
    const auto found = merged.find(parameter->name());
    at::Tensor value =
        found == merged.end() ? parameter->reference() : found->second;
    if (model.head_untied && parameter->name() == kHeadWeight) {
      // A plain model scales the input of tied heads only.
      value = value * model.tied_head_scale;
    }
    weights.emplace_back(
        parameter->name(), value.detach().to(at::kCPU).contiguous());
  }
  return weights;
}

SafetensorsEntry float_entry(const std::string& name, const at::Tensor& value) {
  return {name, TensorType::kF32, value.sizes().vec(), [value] {
            return std::as_bytes(std::span<const float>(
                value.const_data_ptr<float>(),
                static_cast<std::size_t>(value.numel())));
          }};
}

nlohmann::ordered_json export_note(
    const SteeredPolicy& policy, const std::optional<Steering>& steering) {
  nlohmann::ordered_json note;
  note["format_version"] = 1;
  const PromptFormat& format = policy.info().prompt;
  if (const auto& chat = policy.definition().chat) {
    // The templates are where other programs read them.
    note["chat"] = options_to_json(*chat);
    note["chat"].erase("templates");
    if (steering && format.words())
      note["chat"]["words_before_first_user"] = format.words_of(steering->w);
  } else {
    note["prompt_template"] =
        steering ? format.text_under(steering->w) : format.text();
  }
  if (steering) {
    note["weights"] = weighting_to_map(steering->w, policy.names());
    note["alpha"] = steering->alpha;
  }
  note["provenance"] = policy.info().provenance;
  return note;
}

}  // namespace moft
