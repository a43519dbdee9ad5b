// SentencePiece for decoders (Llama 2, TinyLlama, Mistral) from
// tokenizer.model: byte-pair encoding or unigram, with bytes for unknown
// characters. Ids and texts are those of transformers' LlamaTokenizerFast,
// which converts the same file, with tokenizer_config.json's legacy,
// add_bos_token, add_eos_token and add_prefix_space. They are SentencePiece's,
// too, for files like Llama 2's, which neither map characters nor remove
// spaces.
#pragma once

#include <filesystem>
#include <memory>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

inline constexpr const char* kSpmFile = "tokenizer.model";

// Reads tokenizer.model and, where there are such files, tokenizer_config.json,
// special_tokens_map.json and added_tokens.json. Throws CallerError for what is
// damaged or not supported.
std::unique_ptr<Tokenizer> load_spm(const std::filesystem::path& directory);

}  // namespace moft
