// What all export formats need of a policy under one steering.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors_writer.h"
#include "moft/generation/export_options.h"
#include "moft/generation/steered_policy.h"

namespace moft {

// W(c) of every parameter, float32 on the CPU, in the model's order under
// Hugging Face's names.
using NamedWeights = std::vector<std::pair<std::string, at::Tensor>>;
NamedWeights weights_under(const SteeredPolicy& policy, const Coefficients& c);

// A tensor in a file as float32.
SafetensorsEntry float_entry(const std::string& name, const at::Tensor& value);

// moft_export.json: the steering, the prompt template under it or what
// dialogues go through beside the chat templates, provenance.
nlohmann::ordered_json export_note(
    const SteeredPolicy& policy, const std::optional<Steering>& steering);

// What a configuration of float32 weights says to transformers 4 and 5 alike.
// transformers 5 writes the rotary settings into `rope_parameters` alone, which
// version 4 does not read: without its own keys it would compute with a theta
// of 10000 and no scaling.
void write_for_both_versions(nlohmann::json& config);

// A Hugging Face directory, whole or not at all, with the note as its mark.
struct ModelDirectory {
  std::filesystem::path path;
  IfExists if_exists = IfExists::kRefuse;
  std::uint64_t shard_bytes = ExportOptions{}.shard_bytes;
  std::vector<SafetensorsEntry> weights = {};
  nlohmann::json config = {};
  nlohmann::ordered_json note = {};
};
// `add` writes what else belongs there. CallerError with kReplace for what moft
// did not write.
void write_model_directory(
    ModelDirectory model,
    const std::function<void(const std::filesystem::path& building)>& add);

}  // namespace moft
