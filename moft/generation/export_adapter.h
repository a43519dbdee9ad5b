// A policy with low-rank copies as an adapter on its base, as PEFT and
// llama.cpp keep them: under a steering c the update of a linear map is
//
//   sum_i c_i s B_i A_i = [c_1 s B_1 | c_2 s B_2 | ..] [A_1; A_2; ..]
//
// one adapter of rank r times the number of objectives with weight, which is
// PEFT's combination_type "cat". Scales are in B: lora_alpha is the rank. An
// adapter that is merged into the policy's base (policy.adapter) is one more
// summand, since the weights sum to 1: the result fits the base without it.
// Formats: PEFT's save_pretrained; llama.cpp's convert_lora_to_gguf.py.
//
// Errors: CallerError for a policy that is not low-rank, one whose base has an
// adapter that is not plain LoRA, and for `path` when it exists.
// Thread safety: one thread.
#pragma once

#include <filesystem>

#include "moft/generation/export_options.h"
#include "moft/generation/steered_policy.h"

namespace moft {

// adapter_config.json, with the keys that PEFT has had from the beginning, and
// adapter_model.safetensors, under the names that all versions of PEFT, vLLM
// and llama.cpp's converter read; moft_export.json, tokenizer files and chat
// templates beside them, as TRL writes them.
void export_peft(
    const SteeredPolicy& policy,
    const std::filesystem::path& policy_path,
    const std::optional<Steering>& steering,
    const std::filesystem::path& directory,
    const ExportOptions& options);

// One file, float32.
void export_gguf_adapter(
    const SteeredPolicy& policy,
    const std::optional<Steering>& steering,
    const std::filesystem::path& file);

}  // namespace moft
