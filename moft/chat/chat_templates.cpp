// Templates by name.
#include "moft/chat/chat_templates.h"

#include <vector>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

namespace {

constexpr const char* kDefault = "default";
constexpr const char* kWithTools = "tool_use";

}  // namespace

ChatTemplates ChatTemplates::single(ChatTemplate chat_template) {
  ChatTemplates templates;
  templates.put(kDefault, std::move(chat_template));
  return templates;
}

void ChatTemplates::put(const std::string& name, ChatTemplate chat_template) {
  by_name_.insert_or_assign(name, std::move(chat_template));
}

ChatTemplates ChatTemplates::from_config(
    const ChatJson& value, const std::string& place) {
  if (value.is_string())
    return single(ChatTemplate::parse(value.get<std::string>(), place));
  if (!value.is_array() || value.empty()) {
    throw_caller_error(
        "{}: chat_template is a string or a list of {{name, template}}", place);
  }
  ChatTemplates templates;
  for (const ChatJson& item : value) {
    const bool fits = item.is_object() && item.contains("name") &&
                      item.contains("template") && item["name"].is_string() &&
                      item["template"].is_string();
    if (!fits) {
      throw_caller_error(
          "{}: each chat_template of a list has a name and a template", place);
    }
    const auto name = item["name"].get<std::string>();
    templates.put(
        name,
        ChatTemplate::parse(
            item["template"].get<std::string>(), place + " (" + name + ")"));
  }
  return templates;
}

const ChatTemplate& ChatTemplates::choose(
    const std::string& name, bool has_tools) const {
  std::string wanted = name;
  if (wanted.empty())
    wanted = has_tools && by_name_.contains(kWithTools) ? kWithTools : kDefault;
  const auto found = by_name_.find(wanted);
  if (found != by_name_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [each, chat_template] : by_name_)
    names.push_back(each);
  throw_caller_error(
      "the model has no chat template {}; it has {}",
      quote_text(wanted),
      names.empty() ? "none" : join(names, ", "));
}

}  // namespace moft
