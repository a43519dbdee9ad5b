// Exports of Hugging Face directories: merged weights, configuration,
// tokenizer, and a note.
#include "moft/generation/export.h"

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/generation/export_adapter.h"
#include "moft/generation/export_gguf.h"
#include "moft/generation/export_parts.h"
#include "moft/generation/model_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::vector<SafetensorsEntry> weights_of(
    const SteeredPolicy& policy, const Coefficients& c) {
  std::vector<SafetensorsEntry> entries;
  for (auto& [name, value] : weights_under(policy, c))
    entries.push_back(float_entry(name, value));
  return entries;
}

ordered_json generation_config(const SteeredPolicy& policy) {
  ordered_json config;
  config["do_sample"] = true;
  config["temperature"] = policy.temperature();
  config["top_k"] = 0;
  config["top_p"] = 1.0;
  const auto& ends = policy.base().model->info().end_tokens;
  if (!ends.empty()) {
    config["eos_token_id"] = ends;
    config["pad_token_id"] = ends.front();
  }
  // What an encoder-decoder's decoder reads first, and its own padding.
  const nlohmann::json& base = policy.base().config;
  if (base.contains("decoder_start_token_id")) {
    config["decoder_start_token_id"] = base["decoder_start_token_id"];
    if (base.contains("pad_token_id")) {
      config["pad_token_id"] = base["pad_token_id"];
    }
  }
  return config;
}

// transformers 5 writes the rotary settings into `rope_parameters` alone, which
// version 4 does not read: without its own keys it would compute with a theta
// of 10000 and no scaling.
void write_rotary_for_both(nlohmann::json& config) {
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

void export_directory(
    const SteeredPolicy& policy,
    const fs::path& policy_path,
    const std::optional<Steering>& steering,
    const fs::path& directory,
    const ExportOptions& options) {
  const bool replaces = options.if_exists == IfExists::kReplace;
  const std::int64_t parameters = policy.base().model->info().parameters;
  require_free_space(
      directory, static_cast<std::uint64_t>(parameters) * 4 + (1 << 22));
  if (replaces && is_in_the_way(directory, kExportNoteFile)) {
    throw_caller_error(
        "{}: is in the way of the model and has no {}, so moft did not write "
        "it; move it away",
        directory.string(),
        kExportNoteFile);
  }
  make_folder_of(directory);
  AtomicDirectory target(directory, options.if_exists);
  const fs::path& building = target.building();
  write_model_tensors(
      building,
      weights_of(policy, policy.coefficients_of(steering)),
      options.shard_bytes,
      {{"format", "pt"}});
  nlohmann::json config = policy.base().config;
  write_rotary_for_both(config);
  // Both names: transformers 5 and new versions of 4 write and read `dtype`.
  config["dtype"] = "float32";
  config["torch_dtype"] = "float32";
  if (policy.base().model->steerable().head_untied) {
    config["tie_word_embeddings"] = false;
    if (config.contains("scale_decoder_outputs"))
      config["scale_decoder_outputs"] = false;
  }
  write_atomically(building / "config.json", config.dump(2) + "\n");
  write_atomically(
      building / "generation_config.json",
      generation_config(policy).dump(2) + "\n");
  write_atomically(
      building / kExportNoteFile, export_note(policy, steering).dump(2) + "\n");
  write_text_files(policy, policy_path, building);
  if (replaces) target.keep_others(is_model_file);
  target.commit();
}

}  // namespace

void export_policy(
    const SteeredPolicy& policy,
    const fs::path& policy_path,
    const std::optional<Steering>& steering,
    const fs::path& path,
    const ExportOptions& options) {
  switch (options.format) {
    case ExportFormat::kHf:
      return export_directory(policy, policy_path, steering, path, options);
    case ExportFormat::kGguf:
      return export_gguf(policy, policy_path, steering, path, options);
    case ExportFormat::kPeft:
      return export_peft(policy, policy_path, steering, path, options);
    case ExportFormat::kGgufAdapter:
      return export_gguf_adapter(policy, steering, path);
  }
}

}  // namespace moft
