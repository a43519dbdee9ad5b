// Freezes one steering of a policy for other programs:
//
//   hf            an ordinary Hugging Face directory
//   gguf          a file for llama.cpp, with tokenizer and chat templates
//   peft          a LoRA directory on the base (export_adapter.h)
//   gguf-adapter  the same as a file for llama.cpp
//
// Exported is sum_i c_i of the copies, exactly: models hold the mixed weights,
// adapters the c_i s B_i A_i side by side. The policy's temperature goes into
// generation_config.json (`temperature`, `do_sample`); its chat templates go
// where transformers and llama.cpp read them; a template with {field}s goes
// into moft_export.json, since the formats have no place for it. A GGUF file
// has that note and the temperature under the key moft.export.
#pragma once

#include <filesystem>

#include "moft/generation/export_options.h"
#include "moft/generation/steered_policy.h"

namespace moft {

// Written whole or not at all. With kRefuse: CallerError when `path` exists.
// With kReplace: an earlier export's files are replaced, others stay, and a
// directory that is not an export is refused.
// Tokenizer files and chat templates are copied from `policy_path` when the
// base has them; for a base that came as GGUF they are written from the file's
// metadata. CallerError, naming the cure, for a format that cannot hold the
// policy: adapters need steered_set: lora, GGUF a family that llama.cpp's files
// are read of.
void export_policy(
    const SteeredPolicy& policy,
    const std::filesystem::path& policy_path,
    const std::optional<Steering>& steering,
    const std::filesystem::path& path,
    const ExportOptions& options = {});

}  // namespace moft
