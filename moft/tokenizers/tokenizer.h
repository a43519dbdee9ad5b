// Text to token ids and back, equal id for id to Hugging Face `tokenizers`.
//
// Thread safety: a constructed tokenizer is immutable; every const member may
// be called from any thread at once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

using TokenId = std::int32_t;

struct EncodeOptions {
  // Recognise special tokens (`<|im_end|>`) written in the text. Switch off
  // for text that comes from strangers: they then become ordinary pieces.
  bool parse_special = true;
  // Add what the tokenizer's own template adds (BERT's [CLS] and [SEP], a
  // Llama tokenizer's BOS).
  bool add_special = true;
  // Nothing comes before the text. Else tokenizers that put a space before the
  // first word of a text alone put none.
  bool at_start = true;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions& options = {}) const = 0;
  // Bytes of the ids joined; invalid UTF-8 is replaced as Hugging Face does.
  virtual std::string decode(
      std::span<const TokenId> ids, bool skip_special = true) const = 0;
  // The raw bytes that one id stands for (what streaming and stop strings
  // need); special tokens give their written form.
  virtual std::string token_bytes(TokenId id) const = 0;
  virtual bool is_special(TokenId id) const = 0;
  virtual std::optional<TokenId> find(std::string_view token) const = 0;
  // One more than the largest id.
  virtual std::int64_t vocab_size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  // The token that ends every prompt of the model (an encoder-decoder's);
  // none: completions continue where the prompt stops.
  virtual std::optional<TokenId> prompt_end() const { return std::nullopt; }
};

}  // namespace moft
