// What all export formats need of a policy under one steering.
//
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors_writer.h"
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

// Makes the folder that `path` is to be made in; an export does so when nothing
// else can be refused.
void make_folder_of(const std::filesystem::path& path);

// Tokenizer files, of the policy's directory or made of a GGUF base, and the
// policy's own chat templates in place of the base's.
void write_text_files(
    const SteeredPolicy& policy,
    const std::filesystem::path& policy_path,
    const std::filesystem::path& directory);

}  // namespace moft
