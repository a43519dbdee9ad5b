// How a dialogue becomes a prompt, as settings that travel with a policy
// (moft.json): the chat templates themselves and what they read.
//
// Thread safety: plain data.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "moft/core/fields.h"

namespace moft {

struct ChatSettings {
  // Jinja, by name. "default" is the usual one; "tool_use", where there is one,
  // is for rows with tools, as in transformers.
  std::map<std::string, std::string> templates;
  // What templates call bos_token, eos_token, ..
  std::map<std::string, std::string> special_tokens;
  // Other variables of the templates: true, false, numbers, null and texts.
  std::map<std::string, std::string> kwargs;
  // The row's field; empty: `messages`, else `prompt`, else `conversations`.
  std::string messages;
  // The system message of rows that have none.
  std::optional<std::string> system;

  template <class V>
  void fields(V& v) {
    v("templates", templates, Help{"chat templates by name"}, Required{});
    v("special_tokens", special_tokens, Help{"special tokens by name"});
    v("kwargs", kwargs, Help{"variables of the templates"});
    v("messages", messages, Help{"the field of the dialogue"});
    v("system", system, Help{"the system message where there is none"});
  }

  bool operator==(const ChatSettings&) const = default;
};

}  // namespace moft
