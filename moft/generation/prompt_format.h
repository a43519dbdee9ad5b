// How a policy's prompts are made, as one value that travels with the policy
// (moft.json): the template that an example fills or the chat template that its
// dialogue goes through and, where the policy is told its weighting in words,
// how they are written (CLP, appendix A.2). Everything that encodes, exports or
// shows a prompt asks this.
//
// Errors: CallerError where an example lacks a field, a prompt has no tokens,
// or words have no place in it.
// Thread safety: immutable after construction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/conditioning/conditioning_options.h"
#include "moft/data/encode_prompt.h"
#include "moft/weightings/weighting.h"

namespace moft {

// How a weighting is written into a prompt.
struct PromptWords {
  std::vector<std::string> names;  // one per objective, in their order
  std::int64_t repetitions = 1;    // of each weight
  // Policies of format 1 read them before the whole prompt, not at the start of
  // its first field.
  bool before_prompt = false;
};

class PromptFormat {
 public:
  // Takes prompts as they are, special tokens included: a plain model's.
  PromptFormat();
  // A template with {field}s. CallerError for one that is not well-formed.
  explicit PromptFormat(
      std::string text, std::optional<PromptWords> words = std::nullopt);
  // Dialogues. CallerError for a chat template that cannot be read.
  explicit PromptFormat(
      const ChatSettings& chat,
      std::optional<PromptWords> words = std::nullopt);

  // The template as it was written: what people see and runs compare.
  const std::string& text() const { return maker_.text(); }
  const PromptMaker& parsed() const { return maker_; }
  // Null: a template with {field}s.
  const ChatPrompt* chat() const { return maker_.chat(); }
  const std::optional<PromptWords>& words() const { return words_; }

  // The prompt of an example.
  Prompt fill(const Example& example, const Tokenizer& tokenizer) const;
  // The same with `text` for the one field, or as one user's message;
  // CallerError when there are several fields.
  Prompt fill(const std::string& text, const Tokenizer& tokenizer) const;
  // A prompt that is given whole, template included. If it is to be read under
  // a weighting it must have a place for the words.
  Prompt whole(
      const std::string& text,
      const std::string& where,
      bool weighted,
      const Tokenizer& tokenizer) const;
  // What the policy reads under a weighting: the prompt with the words in it,
  // encoded as one text. Null: the plain prompt, which is the reference's.
  std::vector<TokenId> encode(
      const Prompt& prompt,
      const Weighting* w,
      const Tokenizer& tokenizer) const;

  // The words with the space that follows; empty for a policy without them.
  std::string words_of(const Weighting& w) const;
  // How many tokens they are on their own.
  std::int64_t count_word_tokens(
      const Weighting& w, const Tokenizer& tokenizer) const;
  // The template with these words in it; a chat template as it is, whose words
  // go to the first user's message.
  std::string text_under(const Weighting& w) const;

 private:
  PromptMaker maker_;
  std::optional<PromptWords> words_;
  bool as_given_ = false;
};

}  // namespace moft
