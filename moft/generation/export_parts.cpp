// Weights and notes of exports.
#include "moft/generation/export_parts.h"

#include <map>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/generation/model_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

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

void write_for_both_versions(nlohmann::json& config) {
  // Both names: transformers 5 and new versions of 4 write and read `dtype`.
  config["dtype"] = "float32";
  config["torch_dtype"] = "float32";
  const auto found = config.find("rope_parameters");
  if (found == config.end() || !found->is_object()) return;
  nlohmann::json scaling = *found;
  if (scaling.contains("rope_theta")) {
    config["rope_theta"] = scaling["rope_theta"];
    scaling.erase("rope_theta");
  }
  if (scaling.value("rope_type", "default") != "default")
    config["rope_scaling"] = scaling;
}

void write_model_directory(
    ModelDirectory model,
    const std::function<void(const fs::path& building)>& add) {
  const bool replaces = model.if_exists == IfExists::kReplace;
  std::uint64_t numbers = 0;
  for (const SafetensorsEntry& entry : model.weights) {
    std::uint64_t size = 1;
    for (const std::int64_t length : entry.shape)
      size *= static_cast<std::uint64_t>(length);
    numbers += size;
  }
  require_free_space(model.path, numbers * 4 + (1 << 22));
  if (replaces && is_in_the_way(model.path, kExportNoteFile)) {
    throw_caller_error(
        "{}: is in the way of the model and has no {}, so moft did not write "
        "it; move it away",
        model.path.string(),
        kExportNoteFile);
  }
  AtomicDirectory target(model.path, model.if_exists);
  const fs::path& building = target.building();
  write_model_tensors(
      building,
      std::move(model.weights),
      model.shard_bytes,
      {{"format", "pt"}});
  write_for_both_versions(model.config);
  write_atomically(building / "config.json", model.config.dump(2) + "\n");
  write_atomically(building / kExportNoteFile, model.note.dump(2) + "\n");
  add(building);
  if (replaces) target.keep_others(is_model_file);
  target.commit();
}

}  // namespace moft
