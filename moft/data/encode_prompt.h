// Prompts and completions to token ids when part of the text comes from
// strangers.
//
// Special tokens count only where the recipe's author or the user wrote them:
// in a template's own words, and in a prompt or completion that is given
// whole (`moft score`, `moft generate` of a plain model). A post that says
// "<|im_end|>" is a post about chat markup and stays ordinary text: it can
// neither end the user's turn nor open the assistant's.
//
// How: where all special tokens of the filled template are those that its own
// text writes, its ids are tokenizer.encode(render(example)). Where a field
// holds one (or one arises across an edge), the template's own cut the prompt
// into runs; each run, template words and field text together, is encoded as
// ONE string without recognising special tokens, so that merges across the edge
// of a field are those of the whole text.
//
// The tokens that the tokenizer itself puts before a text (a
// beginning-of-sequence token) are put first, unless the text already begins
// with them: a written one is never doubled. An end token is added only where
// the tokenizer says that every prompt has one (prompt_end); elsewhere the
// completion follows the prompt's last word. A chat template writes all such
// tokens itself: nothing is put before or after its text, as in transformers'
// apply_chat_template.
//
// Thread safety: pure functions, plain data.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "moft/data/prompt_maker.h"

namespace moft {

// A prompt as the model reads it, with the text that it was made of: a policy
// that is told its weighting in words puts them into the text.
struct Prompt {
  Prompt() = default;
  // From ids alone; words have no place in it.
  Prompt(std::vector<TokenId> prompt_ids) : ids(std::move(prompt_ids)) {}
  Prompt(std::vector<TokenId> prompt_ids, std::vector<PromptPiece> text)
      : ids(std::move(prompt_ids)), pieces(std::move(text)) {}

  std::vector<TokenId> ids;
  std::vector<PromptPiece> pieces;  // the first field is the words' place
  // The turns of a chat, whose first user's message is the words' place.
  // Null: no chat.
  std::shared_ptr<const ChatTurns> turns;
};

// Ids of a filled template.
std::vector<TokenId> encode_pieces(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer);

// Ids of a filled prompt of either kind.
std::vector<TokenId> encode_filled(
    const PromptMaker& prompt,
    std::span<const PromptPiece> pieces,
    const Tokenizer& tokenizer);

// Ids of an example's prompt, with a weighting's words in it. No special tokens
// are recognised in the words.
std::vector<TokenId> encode_prompt(
    const PromptMaker& prompt,
    const Example& example,
    const Tokenizer& tokenizer,
    const std::string& words = {});

// Ids of a filled completion template: as a prompt's, with nothing put before
// or after it.
std::vector<TokenId> encode_completion(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer);
// Ids of a completion given whole.
std::vector<TokenId> encode_completion(
    std::string_view text, const Tokenizer& tokenizer);

// Ids of a filled template that holds a weighting's words at the start of its
// first field. No special tokens are recognised in the words. CallerError when
// no piece comes from a field.
std::vector<TokenId> encode_with_words(
    std::span<const PromptPiece> pieces,
    const std::string& words,
    const Tokenizer& tokenizer);

// A filled prompt. CallerError, naming the example, when it has no tokens.
Prompt make_prompt(
    const PromptMaker& prompt,
    const Example& example,
    const Tokenizer& tokenizer);

// A dialogue as the prompt of a chat, its place in the CallerError.
Prompt make_chat_prompt(
    const ChatPrompt& chat, ChatTurns turns, const Tokenizer& tokenizer);

// A prompt given whole, for a model without a template: special tokens
// written in it count. `where` names it in the CallerError for no tokens.
Prompt make_whole_prompt(
    const std::string& text,
    const std::string& where,
    const Tokenizer& tokenizer);

// The same for a policy with a prompt template: the first field begins where
// the words before it in the template end. CallerError when `text` does not
// begin with those.
Prompt make_whole_prompt(
    const std::string& text,
    const std::string& where,
    const PromptTemplate& prompt,
    const Tokenizer& tokenizer);

}  // namespace moft
