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

ChatTemplates ChatTemplates::parse(
    const std::map<std::string, std::string>& texts) {
  ChatTemplates templates;
  for (const auto& [name, text] : texts) {
    templates.by_name_.insert_or_assign(
        name, ChatTemplate::parse(text, "the chat template '" + name + "'"));
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
