// A policy under one steering as a GGUF file for llama.cpp and its like.
//
// Errors: CallerError for a family without a layout (models/gguf_layout.h), a
// tokenizer without a counterpart and for `file` when it exists.
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "moft/generation/export_options.h"
#include "moft/generation/steered_policy.h"
#include "moft/models/gguf_layout.h"

namespace moft {

void export_gguf(
    const SteeredPolicy& policy,
    const std::filesystem::path& policy_path,
    const std::optional<Steering>& steering,
    const std::filesystem::path& file,
    const ExportOptions& options);

// --- shared with adapters

GgufLayout gguf_layout_of(const SteeredPolicy& policy);
// Rows in the file's order.
at::Tensor in_gguf_rows(const at::Tensor& value, const GgufPlace& place);
// Under llama.cpp's keys.
void add_chat_templates(
    const std::map<std::string, std::string>& templates, GgufValues& values);
// CallerError when something is there.
void refuse_existing(const std::filesystem::path& file);

}  // namespace moft
