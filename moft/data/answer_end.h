// Whether answers can end, and whether they end where the prompt's format ends
// a turn. Known from the tokenizer, the model's end tokens and the template,
// before anything is computed.
//
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "moft/data/prompt_maker.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// CallerError when a model names no end token: every completion would be cut
// off, and none could be learned to end.
void require_end_token(std::span<const TokenId> end_tokens);

// The last special token in the template's own words that ends a turn, by its
// name: <|im_end|>, <|eot_id|>, <end_of_turn>, </s>. None: the format has no
// such token.
std::optional<TokenId> turn_end_of(
    const PromptMaker& prompt, const Tokenizer& tokenizer);

// What is wrong when the format ends turns with a token at which answers do not
// end, as one sentence for the user; none: nothing is.
std::optional<std::string> answer_end_warning(
    const PromptMaker& prompt,
    const Tokenizer& tokenizer,
    std::span<const TokenId> end_tokens);

}  // namespace moft
