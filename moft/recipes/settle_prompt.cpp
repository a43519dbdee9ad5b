// Finds the template of a recipe's prompts.
#include "moft/recipes/settle_prompt.h"

#include <filesystem>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/generation/chat_files.h"
#include "moft/tokenizers/chat_template_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// The templates that data.chat_template names: a file's, or one of the model's.
std::map<std::string, std::string> named_template(
    const std::string& named, const std::map<std::string, std::string>& own) {
  std::error_code error;
  if (fs::is_regular_file(named, error))
    return {{"default", read_chat_template(named)}};
  const auto found = own.find(named);
  if (found != own.end()) return {{"default", found->second}};
  std::vector<std::string> names;
  for (const auto& entry : own)
    names.push_back(entry.first);
  throw_caller_error(
      "chat_template is {}, which is neither a file nor one of the "
      "model's templates ({}); give the path of a Jinja file",
      quote_text(named, 200),
      names.empty() ? "it has none" : join(names, ", "));
}

}  // namespace

ChatSettings chat_settings(
    const PromptOptions& options, const PromptModel& model) {
  ChatSettings chat = read_chat_settings(model.path);
  if (options.chat_template)
    chat.templates = named_template(*options.chat_template, chat.templates);
  if (chat.templates.empty()) {
    throw_caller_error(
        "prompts are dialogues, but {} ({}) has no chat template; give a Jinja "
        "file as chat_template, or a template with fields such as "
        "{{messages.user}} as prompt_template",
        model.key,
        model.path);
  }
  chat.kwargs = options.chat_template_kwargs;
  chat.messages = options.messages.value_or("");
  chat.system = options.system;
  return chat;
}

namespace {

bool is_chat(const PromptOptions& options, const Example& first) {
  if (options.chat_template || options.messages || options.system) return true;
  for (const char* field : {"messages", "prompt", "conversations"})
    if (first.dialogues.contains(field)) return true;
  return false;
}

[[noreturn]] void throw_no_prompt(const Example& first) {
  throw_caller_error(
      "{}: the row has neither a dialogue (a list of messages in 'messages' or "
      "'prompt') nor a text 'prompt'; say in data.prompt_template how its "
      "fields make the prompt, for example '{{{}}}'",
      first.where,
      first.fields.empty() ? "field" : first.fields.begin()->first);
}

}  // namespace

void settle_prompt(
    PromptOptions& options,
    const PromptModel& model,
    const std::vector<std::string>& train) {
  PromptSpec spec;
  if (options.prompt_template) {
    spec.prompt_template = *options.prompt_template;
    options.settled = spec;
    return;
  }
  const Example first = read_first_example(train.at(0));
  if (is_chat(options, first)) {
    spec.chat = chat_settings(options, model);
    spec.maker();
  } else if (!first.fields.contains("prompt")) {
    throw_no_prompt(first);
  }
  options.settled = std::move(spec);
}

}  // namespace moft
