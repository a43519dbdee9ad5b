// Prompts from examples of either kind.
#include "moft/data/prompt_maker.h"

#include <utility>

namespace moft {

PromptMaker::PromptMaker(PromptTemplate fields) : kind_(std::move(fields)) {}

PromptMaker::PromptMaker(ChatPrompt chat)
    : kind_(std::make_shared<const ChatPrompt>(std::move(chat))) {}

const PromptTemplate* PromptMaker::fields() const {
  return std::get_if<PromptTemplate>(&kind_);
}

const ChatPrompt* PromptMaker::chat() const {
  const auto* chat = std::get_if<std::shared_ptr<const ChatPrompt>>(&kind_);
  return chat ? chat->get() : nullptr;
}

const std::string& PromptMaker::text() const {
  return chat() ? chat()->text() : fields()->text();
}

void PromptMaker::check(const std::vector<Example>& examples) const {
  if (fields()) return fields()->check(examples);
  for (const Example& example : examples)
    chat()->prompt_turns(example);
}

std::vector<PromptPiece> PromptMaker::fill(
    const Example& example, const std::string& words) const {
  if (chat())
    return chat()->render_prompt(chat()->prompt_turns(example), words);
  auto pieces = fields()->fill(example);
  return words.empty() ? pieces : with_words(std::move(pieces), words);
}

std::string PromptMaker::render(const Example& example) const {
  std::string text;
  for (const PromptPiece& piece : fill(example))
    text += piece.text;
  return text;
}

std::vector<std::string*> PromptMaker::values(Example& example) const {
  if (chat()) return chat()->values(example);
  std::vector<std::string*> values;
  for (const std::string& name : fields()->field_names())
    values.push_back(&example.fields.at(name));
  return values;
}

}  // namespace moft
