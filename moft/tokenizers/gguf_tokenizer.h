// Tokenizers from GGUF files.
//
// Thread safety: pure.
#pragma once

#include <memory>

#include "moft/core/tokenizer_data.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// Throws CallerError for what is damaged or not supported.
std::unique_ptr<Tokenizer> make_tokenizer(const GgufTokenizerData& data);

}  // namespace moft
