// Prompts to token ids when part of the text comes from strangers.
//
// Special tokens count only where the template wrote them. A post that says
// "<|im_end|>" is a post about chat markup and stays ordinary text: it can
// neither end the user's turn nor open the assistant's.
//
// How: the template's own special tokens cut the prompt into runs; each run,
// template words and field text together, is encoded as ONE string without
// recognising special tokens. So merges across the edge of a field are those
// of the whole text, and the ids equal tokenizer.encode(render(example))
// whenever no field holds a special token (and none arises across an edge).
#pragma once

#include <span>
#include <vector>

#include "moft/data/prompt_template.h"

namespace moft {

// Ids of a filled template. A beginning-of-sequence token that the tokenizer
// itself puts first is put first, unless the template already wrote it. An end
// token is added only where the tokenizer says that every prompt has one
// (prompt_end); elsewhere the completion follows the prompt's last word.
std::vector<TokenId> encode_pieces(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer);

std::vector<TokenId> encode_prompt(
    const PromptTemplate& prompt,
    const Example& example,
    const Tokenizer& tokenizer);

}  // namespace moft
