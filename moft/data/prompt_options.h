// How rows become prompts, as recipes of both kinds say it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "moft/core/fields.h"
#include "moft/data/chat_settings.h"
#include "moft/data/prompt_maker.h"

namespace moft {

// What that comes to for a model and its rows: what moft.json keeps.
struct PromptSpec {
  std::string prompt_template = "{prompt}";
  std::optional<ChatSettings> chat;  // instead of the template

  // CallerError for a template that cannot be read.
  PromptMaker maker() const;
};

struct PromptOptions {
  std::optional<std::string> prompt_template;
  std::optional<std::string> chat_template;
  std::map<std::string, std::string> chat_template_kwargs;
  std::optional<std::string> messages;
  std::optional<std::string> system;

  // Not a setting: settle_prompt() (recipes/settle_prompt.h) finds it.
  std::optional<PromptSpec> settled;
  // What it found; before that, the template as it is written.
  PromptSpec spec() const;

  template <class V>
  void prompt_fields(V& v) {
    v("prompt_template",
      prompt_template,
      Help{"the prompt, with {name} for an example's field of that name and {{ "
           "}} for braces; saved with the policy. null: the rows decide: a "
           "dialogue (a list of messages in `messages` or `prompt`) goes "
           "through the chat template, a text `prompt` is the prompt"});
    v("chat_template",
      chat_template,
      Help{
          "the Jinja chat template of dialogues: a file, or the name of one of "
          "the model's templates; null: the model's own, as transformers "
          "chooses"});
    v("chat_template_kwargs",
      chat_template_kwargs,
      Help{"variables of the chat template by name, such as {enable_thinking: "
           "false}"});
    v("messages",
      messages,
      Help{"the field that holds a row's dialogue; null: messages, else "
           "prompt, else conversations"});
    v("system",
      system,
      Help{"the system message of dialogues that have none; null: what the "
           "chat template does without one"});
  }
  // CallerError for a template that is not well-formed, and for settings that
  // exclude each other.
  void check_prompt(const std::string& path) const;
};

}  // namespace moft
