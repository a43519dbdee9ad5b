// Freezes one steering of a policy as an ordinary Hugging Face directory that
// transformers, vLLM or llama.cpp's converter read.
//
// The policy's temperature goes into generation_config.json (`temperature`,
// `do_sample`), its chat template into chat_template.jinja, a template with
// {field}s into moft_export.json, since the format has no place for it.
#pragma once

#include <filesystem>

#include "moft/core/atomic_files.h"
#include "moft/generation/steered_policy.h"

namespace moft {

// Written whole or not at all. With kRefuse: CallerError when `directory`
// exists. With kReplace: an earlier export's files are replaced, others stay,
// and a directory that is not an export is refused.
// Tokenizer files and chat templates are copied when the base has them; for a
// base that came as GGUF they are written from the file's metadata.
void export_policy(
    const SteeredPolicy& policy,
    const std::filesystem::path& policy_path,
    const std::optional<Steering>& steering,
    const std::filesystem::path& directory,
    IfExists if_exists = IfExists::kRefuse);

}  // namespace moft
