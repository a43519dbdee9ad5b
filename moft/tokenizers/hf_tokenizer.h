// Tokenizers from Hugging Face directories.
//
// Thread safety: pure but for the files.
#pragma once

#include <filesystem>
#include <memory>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

// Reads the tokenizer of a Hugging Face directory: T5's spiece.model where
// there is one, else tokenizer.json, else tokenizer.model; and beside them
// tokenizer_config.json, special_tokens_map.json and added_tokens.json. Throws
// CallerError for anything unsupported.
std::unique_ptr<Tokenizer> load_tokenizer(
    const std::filesystem::path& directory);

}  // namespace moft
