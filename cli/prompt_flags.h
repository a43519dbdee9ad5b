// A prompt on the command line: a text, or the messages of a dialogue, and how
// a plain model reads dialogues.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "moft/generation/policy.h"

#include "cli/parser.h"

namespace moft {

class PromptFlags {
 public:
  // --prompt and --message, and what declare_chat() has.
  void declare(Parser& parser, const std::string& prompt_help);
  // --chat, --chat-template and --system alone.
  void declare_chat(Parser& parser);

  // Whether there is a prompt: --prompt or --message.
  bool given() const { return prompt_.has_value() || !messages_.empty(); }
  // Whether any of declare_chat()'s options, or --message, was given.
  bool wants_chat() const;
  // How a plain model is to read dialogues; none: prompts are texts.
  // CallerError when the model at `path` has no chat template.
  std::optional<ChatSettings> chat_of(const std::string& path) const;
  // The prompt. REQUIRES given() and a policy that PolicyFlags::open() opened
  // with these flags. CallerError for a message that is not role=text.
  Prompt prompt(const Policy& policy) const;
  // CallerError for flags that a trained policy has no use for.
  void check_fits(const Policy& policy) const;

 private:
  ChatTurns turns(const ChatPrompt& chat) const;

  std::optional<std::string> prompt_;
  std::vector<std::string> messages_;  // "user=Hello"
  std::optional<std::string> system_;
  std::string chat_template_;
  bool chat_ = false;
};

}  // namespace moft
