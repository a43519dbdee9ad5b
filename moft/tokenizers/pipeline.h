// A tokenizer put together from its parts, in the order of Hugging Face's
// pipeline: added tokens, normaliser, added tokens again (those to be found in
// normalised text), model, template.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/tokenizers/added_tokens.h"
#include "moft/tokenizers/framed_tokenizer.h"
#include "moft/tokenizers/normalizer.h"
#include "moft/tokenizers/token_model.h"
#include "moft/tokenizers/tokenizer.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {

struct Pipeline {
  std::shared_ptr<const Vocabulary> vocabulary;
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizer;  // none: text as it is
  std::unique_ptr<const TokenModel> model;
  // The template's ids before and after the text.
  std::vector<TokenId> prefix;
  std::vector<TokenId> suffix;
  std::optional<TextFrame> pair;  // the template of two texts
  // The suffix is one token, left out where the text's ids end with it.
  bool ends_once = false;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> prompt_end;  // as Tokenizer::prompt_end()
  bool clean_up = false;              // decoding joins "do n't ." to "don't."
};

// transformers' clean_up_tokenization: no space before a mark or an ending.
void clean_up_text(std::string& text);

std::unique_ptr<Tokenizer> make_tokenizer(Pipeline pipeline);

}  // namespace moft
