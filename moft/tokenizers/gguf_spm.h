// The kind of tokenizer that GGUF files call "llama": SentencePiece's
// byte-pair encoding with scores, as llama.cpp runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moft/core/tokenizer_data.h"
#include "moft/tokenizers/pipeline.h"

namespace moft {

// What errors call the place.
inline constexpr std::string_view kGgufTokenizer = "GGUF tokenizer";

// llama.cpp's numbers for kinds of tokens.
inline constexpr std::int32_t kGgufUnknown = 2;
inline constexpr std::int32_t kGgufControl = 3;
inline constexpr std::int32_t kGgufUserDefined = 4;
inline constexpr std::int32_t kGgufByte = 6;

// Normal where the file does not say.
inline std::int32_t gguf_token_type(
    const GgufTokenizerData& data, std::size_t id) {
  return data.token_types.empty() ? 1 : data.token_types[id];
}

inline bool is_special_gguf_type(std::int32_t type) {
  return type == kGgufUnknown || type == kGgufControl;
}
// Tokens that are found in the text before it is cut.
inline bool is_added_gguf_type(std::int32_t type) {
  return is_special_gguf_type(type) || type == kGgufUserDefined;
}

// BOS and EOS: what the file says, else llama.cpp's usual ids (1 and 2) where
// the model is "llama" and they are control tokens.
std::optional<TokenId> gguf_bos(const GgufTokenizerData& data);
std::optional<TokenId> gguf_eos(const GgufTokenizerData& data);

// Throws CallerError, naming the field, for an id without a token.
TokenId checked_gguf_id(
    const Vocabulary& vocabulary, std::int32_t id, std::string_view name);

// The encoder of tokens with scores and kinds: `data` of any file. REQUIRES a
// score for each token. Throws CallerError, naming `place`, for a vocabulary
// that cannot write every text.
std::unique_ptr<const PieceEncoder> make_spm_encoder(
    const GgufTokenizerData& data,
    const Vocabulary& vocabulary,
    std::string_view place);

// Fills the pipeline's normaliser. REQUIRES vocabulary and added tokens. Throws
// CallerError for scores that do not fit and for a vocabulary that cannot write
// every text.
std::unique_ptr<const TokenModel> make_gguf_spm(
    const GgufTokenizerData& data, Pipeline& pipeline);

// The merges that give the same ids in a tokenizer.json, by rank: every way to
// put a token together from two, highest score first.
std::vector<std::pair<std::string, std::string>> spm_merges(
    const GgufTokenizerData& data);

}  // namespace moft
