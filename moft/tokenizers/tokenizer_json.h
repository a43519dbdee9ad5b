// A GGUF file's tokenizer as Hugging Face files, for `export`.
#pragma once

#include <map>
#include <string>

#include "moft/core/tokenizer_data.h"

namespace moft {

// File name -> content: tokenizer.json, tokenizer_config.json and the chat
// templates where transformers looks for them. Reading them back gives a
// tokenizer equal to make_tokenizer(data).
// Throws CallerError for pre-tokenizers that gguf_families.h does not list.
std::map<std::string, std::string> tokenizer_files(
    const GgufTokenizerData& data);

}  // namespace moft
