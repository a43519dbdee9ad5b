// Parsing and rendering as apply_chat_template does.
#include "moft/chat/chat_template.h"

#include "moft/core/errors.h"

namespace moft {

struct TemplateProgram {};

std::string RenderedChat::text() const {
  std::string text;
  for (const ChatPiece& piece : pieces)
    text += piece.text;
  return text;
}

ChatTemplate ChatTemplate::parse(
    std::string_view source, const std::string& name) {
  ChatTemplate result;
  result.source_ = source;
  result.name_ = name;
  return result;
}

RenderedChat ChatTemplate::render(
    const Conversation&, const RenderOptions&) const {
  throw_caller_error("{}: chat templates are not yet rendered", name_);
}

bool ChatTemplate::marks_generation() const {
  return false;
}

ChatTemplates ChatTemplates::single(ChatTemplate chat_template) {
  ChatTemplates templates;
  templates.put("default", std::move(chat_template));
  return templates;
}

void ChatTemplates::put(const std::string& name, ChatTemplate chat_template) {
  by_name_.insert_or_assign(name, std::move(chat_template));
}

ChatTemplates ChatTemplates::from_config(
    const ChatJson& value, const std::string& place) {
  return single(ChatTemplate::parse(value.get<std::string>(), place));
}

const ChatTemplate& ChatTemplates::choose(const std::string& name, bool) const {
  return by_name_.at(name.empty() ? "default" : name);
}

}  // namespace moft
