// How an example becomes a prompt: a template with {field}s, or a dialogue
// through a chat template. Whatever measures, encodes, compares or shows
// prompts takes this.
//
// Thread safety: immutable after construction; copies share what they hold.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "moft/data/chat_prompt.h"
#include "moft/data/prompt_template.h"

namespace moft {

class PromptMaker {
 public:
  PromptMaker(PromptTemplate fields);
  PromptMaker(ChatPrompt chat);

  // The template as it was written: what people see and runs compare.
  const std::string& text() const;
  // Null for the other kind.
  const PromptTemplate* fields() const;
  const ChatPrompt* chat() const;

  // Throws CallerError for the first example that lacks what the prompt needs.
  void check(const std::vector<Example>& examples) const;
  // The prompt's text in pieces, with a weighting's words at the start of its
  // first field, or of its first user's message. CallerError when there is no
  // place for them.
  std::vector<PromptPiece> fill(
      const Example& example, const std::string& words = {}) const;
  // The same without words as one string, for people and rewards to read.
  std::string render(const Example& example) const;
  // The texts of an example that its prompt is made of, which may be cut; each
  // once. REQUIRES the example passes check().
  std::vector<std::string*> values(Example& example) const;

 private:
  std::variant<PromptTemplate, std::shared_ptr<const ChatPrompt>> kind_;
};

}  // namespace moft
