// Exports of Hugging Face directories: merged weights, configuration,
// tokenizer, and a note.
#include "moft/generation/export.h"

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/generation/chat_files.h"
#include "moft/generation/export_adapter.h"
#include "moft/generation/export_gguf.h"
#include "moft/generation/export_parts.h"
#include "moft/generation/model_files.h"
#include "moft/tokenizers/tokenizer_files.h"
#include "moft/tokenizers/tokenizer_json.h"

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

void write_tokenizer(
    const SteeredPolicy& policy, const fs::path& base, const fs::path& to) {
  if (policy.base().gguf_tokenizer) {
    for (const auto& [name, text] :
         tokenizer_files(*policy.base().gguf_tokenizer)) {
      fs::create_directories((to / name).parent_path());
      write_atomically(to / name, text);
    }
    return;
  }
  copy_tokenizer_files(base, to);
}

void export_directory(
    const SteeredPolicy& policy,
    const fs::path& policy_path,
    const std::optional<Steering>& steering,
    const fs::path& directory,
    const ExportOptions& options) {
  ModelDirectory model{directory, options.if_exists, options.shard_bytes};
  model.weights = weights_of(policy, policy.coefficients_of(steering));
  model.config = policy.base().config;
  model.note = export_note(policy, steering);
  if (policy.base().model->steerable().head_untied) {
    model.config["tie_word_embeddings"] = false;
    if (model.config.contains("scale_decoder_outputs"))
      model.config["scale_decoder_outputs"] = false;
  }
  write_model_directory(std::move(model), [&](const fs::path& building) {
    write_atomically(
        building / "generation_config.json",
        generation_config(policy).dump(2) + "\n");
    write_tokenizer(policy, policy_path, building);
    if (policy.definition().chat)
      write_chat_templates(*policy.definition().chat, building);
  });
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
      return export_peft(policy, steering, path, options);
    case ExportFormat::kGgufAdapter:
      return export_gguf_adapter(policy, steering, path);
  }
}

}  // namespace moft
