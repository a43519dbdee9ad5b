// The named templates of a model.
//
// Thread safety: const members from any thread at once.
#pragma once

#include <map>
#include <string>

#include "moft/chat/chat_template.h"

namespace moft {

// The template or named templates of a model ("default", "tool_use", "rag").
class ChatTemplates {
 public:
  // Parses texts by name; the usual one is "default". CallerError, naming the
  // template, for one that cannot be read.
  static ChatTemplates parse(const std::map<std::string, std::string>& texts);

  // As transformers chooses: the template of that name if `name` is not
  // empty; else tool_use if there are tools and such a template; else the
  // default. CallerError, with the names that exist, when there is none.
  const ChatTemplate& choose(const std::string& name, bool has_tools) const;

 private:
  std::map<std::string, ChatTemplate> by_name_;
};

}  // namespace moft
