// A whole dialogue to token ids, with the tokens of the assistant's turns
// marked: what supervised finetuning learns, and what it only reads.
//
// The turns are those that the chat template marks with {% generation %}, as
// transformers' assistant mask has them (return_assistant_tokens_mask). A
// template without marks shows them by what it adds: turn i is the text that
// the first i messages have beyond the first i - 1 with the generation prompt.
// That holds only where each of these texts begins the next; a template that
// rewrites earlier turns is refused.
//
// Thread safety: pure functions, plain data.
#pragma once

#include <cstdint>
#include <vector>

#include "moft/data/chat_prompt.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

struct EncodedDialogue {
  std::vector<TokenId> ids;
  std::vector<std::uint8_t> learned;  // per id: 1 for the assistant's
};

// The assistant's turns among the first `only_read` messages are not learned.
// CallerError, with the place of `turns`, for a template as above, and for a
// dialogue that begins with the assistant where the template has no marks.
EncodedDialogue encode_dialogue(
    const ChatPrompt& chat,
    const ChatTurns& turns,
    std::size_t only_read,
    const Tokenizer& tokenizer);

}  // namespace moft
