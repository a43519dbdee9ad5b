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
  // One template is the default one.
  static ChatTemplates single(ChatTemplate chat_template);
  // The value of `chat_template` in tokenizer_config.json: a string, or a list
  // of {"name": .., "template": ..}. CallerError "{place}: .." for any other.
  static ChatTemplates from_config(
      const ChatJson& value, const std::string& place);

  // As transformers chooses: the template of that name if `name` is not
  // empty; else tool_use if there are tools and such a template; else the
  // default. CallerError, with the names that exist, when there is none.
  const ChatTemplate& choose(const std::string& name, bool has_tools) const;

  // Adds or replaces one.
  void put(const std::string& name, ChatTemplate chat_template);
  const std::map<std::string, ChatTemplate>& by_name() const {
    return by_name_;
  }

 private:
  std::map<std::string, ChatTemplate> by_name_;
};

}  // namespace moft
