// The tokenizer of a Hugging Face directory as the metadata of a GGUF file: the
// way back of tokenizer_json.h.
//
// Thread safety: pure but for the files.
#pragma once

#include <filesystem>

#include "moft/core/tokenizer_data.h"

namespace moft {

// Byte-level byte-pair encoding whose cuts have a name in llama.cpp, or
// SentencePiece's with bytes for unknown characters (tokenizer.json, or
// tokenizer.model alone), and the chat templates. make_tokenizer() of the
// result gives the ids of load_tokenizer(). CallerError, naming the file, for
// other tokenizers.
GgufTokenizerData gguf_tokenizer_of(const std::filesystem::path& directory);

}  // namespace moft
