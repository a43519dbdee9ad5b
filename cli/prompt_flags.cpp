// Reads --prompt, --message and their like.
#include "cli/prompt_flags.h"

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/encode_prompt.h"
#include "moft/recipes/settle_prompt.h"

namespace moft {

void PromptFlags::declare(Parser& parser, const std::string& prompt_help) {
  const Option prompt = parser.add_option_to(
      "--prompt",
      [this](const std::string& text) { prompt_ = text; },
      prompt_help);
  parser
      .add_option(
          "--message",
          messages_,
          "A message of a dialogue, as role=text; give it several times, in "
          "order: user=.. assistant=.. user=..")
      .excludes(prompt);
  declare_chat(parser);
}

void PromptFlags::declare_chat(Parser& parser) {
  parser.add_flag(
      "--chat",
      chat_,
      "Put prompts through the chat template of a plain model (a policy that "
      "was trained on dialogues always does)");
  parser.add_option(
      "--chat-template",
      chat_template_,
      "With a plain model: a Jinja file, or the name of one of its templates");
  parser.add_option_to(
      "--system",
      [this](const std::string& text) { system_ = text; },
      "The system message of dialogues that have none");
}

bool PromptFlags::wants_chat() const {
  return chat_ || !chat_template_.empty() || system_ || !messages_.empty();
}

std::optional<ChatSettings> PromptFlags::chat_of(
    const std::string& path) const {
  if (!wants_chat()) return std::nullopt;
  PromptOptions options;
  if (!chat_template_.empty()) options.chat_template = chat_template_;
  options.system = system_;
  return chat_settings(options, {"the model", path});
}

ChatTurns PromptFlags::turns(const ChatPrompt& chat) const {
  ChatTurns turns;
  turns.where = "command line";
  if (prompt_) turns.messages.push_back({"user", *prompt_});
  for (const std::string& message : messages_) {
    const std::size_t equals = message.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw_caller_error(
          "--message is {}; write role=text, such as --message user=Hello",
          quote_text(message));
    }
    turns.messages.push_back(
        {message.substr(0, equals), message.substr(equals + 1)});
  }
  turns.continues = turns.messages.back().role == "assistant";
  return chat.with_system(std::move(turns), system_);
}

Prompt PromptFlags::prompt(const Policy& policy) const {
  const ChatPrompt* chat = policy.info().prompt.chat();
  return chat ? make_chat_prompt(*chat, turns(*chat), policy.tokenizer())
              : policy.fill_prompt(*prompt_);
}

void PromptFlags::check_fits(const Policy& policy) const {
  if (!wants_chat()) return;
  if (!policy.info().prompt.chat()) {
    throw_caller_error(
        "this policy was trained on a template with fields ({}), not on "
        "dialogues; give --prompt, or --input with its fields",
        quote_text(policy.info().prompt.text()));
  }
  if (!chat_template_.empty()) {
    throw_caller_error(
        "--chat-template is for plain models, and this policy keeps the chat "
        "template that it was trained with; leave the option out");
  }
  if (system_ && !given()) {
    throw_caller_error(
        "--system goes with --prompt or --message; write the system message "
        "into the rows of --input");
  }
}

}  // namespace moft
