// What has to hold between the settings of prompts.
#include "moft/data/prompt_options.h"

#include "moft/core/errors.h"

namespace moft {

PromptMaker PromptSpec::maker() const {
  if (chat) return ChatPrompt(*chat);
  return PromptTemplate(prompt_template);
}

PromptSpec PromptOptions::spec() const {
  if (settled) return *settled;
  PromptSpec written;
  if (prompt_template) written.prompt_template = *prompt_template;
  return written;
}

void PromptOptions::check_prompt(const std::string& path) const {
  if (!prompt_template) return;
  try {
    PromptTemplate parsed(*prompt_template);
  } catch (const CallerError& error) {
    throw_caller_error("{}prompt_template: {}", path, error.what());
  }
  const char* other = chat_template                   ? "chat_template"
                      : !chat_template_kwargs.empty() ? "chat_template_kwargs"
                      : messages                      ? "messages"
                      : system                        ? "system"
                                                      : nullptr;
  if (other == nullptr) return;
  throw_caller_error(
      "{}prompt_template and {}{} are both given, but a template with "
      "{{field}}s takes texts and a chat template takes dialogues; give one of "
      "the two",
      path,
      path,
      other);
}

}  // namespace moft
