// Policy directories on disk: moft.json, the base's files, and the copies in
// steering.safetensors (docs/file-formats.md).
//
// Thread safety: one thread per directory.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "moft/generation/steered_policy.h"
#include "moft/models/load.h"

namespace moft {

// A policy directory of this kind, a plain Hugging Face directory or a GGUF
// file (the last two: prompts as they are, temperature 1, no knobs). For
// training and for what works on copies; everything else takes open_policy()
// (policy_kinds.h). CallerError when the weights of a policy's base are no
// longer those that it was trained on.
std::unique_ptr<SteeredPolicy> load_policy(
    const std::filesystem::path& path, const LoadOptions& options = {});

// The tokenizer of a base model: from its files, or from the GGUF metadata.
std::shared_ptr<const Tokenizer> load_base_tokenizer(
    const std::filesystem::path& path, const LoadedModel& base);

// Writes a policy directory atomically. The base's weights are hard-linked
// where the file system can, else copied. An existing policy is replaced; files
// that moft did not write stay, and a `directory` that is not a policy is
// refused (CallerError).
void save_policy(
    const SteeredPolicy& policy,
    const std::filesystem::path& base_path,
    const std::filesystem::path& directory,
    const std::string& model_card);

}  // namespace moft
