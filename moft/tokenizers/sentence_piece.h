// T5's tokenizer: SentencePiece's unigram model (Kudo, arXiv 1804.10959) from
// spiece.model, with the sentinels <extra_id_N> above its pieces; ids and
// texts as those of transformers' slow T5Tokenizer (legacy behaviour, its
// default).
#pragma once

#include <filesystem>
#include <memory>

#include "moft/tokenizers/tokenizer.h"

namespace moft {

inline constexpr const char* kSpieceFile = "spiece.model";

// Whether load_tokenizer() should take spiece.model of this directory: it is
// there, and tokenizer_config.json does not name another class.
bool prefers_sentence_piece(const std::filesystem::path& directory);

// Reads spiece.model, and tokenizer_config.json where there is one. Throws
// CallerError for what is damaged or not supported.
std::unique_ptr<Tokenizer> load_sentence_piece(
    const std::filesystem::path& directory);

}  // namespace moft
