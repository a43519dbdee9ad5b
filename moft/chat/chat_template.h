// A model's chat template: a conversation becomes the text that the model was
// trained to continue, byte for byte as transformers' apply_chat_template
// (5.17) writes it, and every byte knows whose words it is.
//
// A template is a Jinja program. It is read once (parse) and run for each
// conversation (render) by an interpreter of our own: what it can do is in
// template_parser.h, and what it cannot do is refused by name with the line.
// Templates and conversations are hostile until checked: steps, depth, memory
// and output are bounded (RenderLimits).
//
// Thread safety: a ChatTemplate is immutable; render may be called from any
// thread at once.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/chat/render_limits.h"

namespace moft {

// Keys keep the order of their file, because templates print objects.
// parse_ordered_json (core/json.h) reads one.
using ChatJson = nlohmann::ordered_json;

// What a template is run on.
struct Conversation {
  // A list of objects, at least one: role, content and whatever else the
  // template reads (tool_calls, reasoning_content, ..).
  ChatJson messages;
  ChatJson tools;      // a list of JSON schemas, or null
  ChatJson documents;  // a list of objects, or null
  // Other variables of the template by name ("enable_thinking"): an object or
  // null. They come before special tokens of the same name.
  ChatJson variables;
};

struct RenderOptions {
  // Whether the template is asked to open the assistant's next message.
  bool add_generation_prompt = false;
  // Whether the last message stays open, so that a model continues it; not
  // together with add_generation_prompt. `continued_field` names its text.
  bool continue_final_message = false;
  std::string continued_field = "content";
  // By their names in tokenizer_config.json: {"bos_token", "<s>"}, ..
  std::map<std::string, std::string> special_tokens;
  // What strftime_now shows, as local time; the epoch in a test.
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  RenderLimits limits;
};

// A stretch of a rendered chat.
struct ChatPiece {
  std::string text;
  // Made of the conversation's values (messages, tools, documents, variables):
  // it must never become a special token. Otherwise the template's own words
  // and special tokens by name, which may.
  //
  // The role of a message counts as the template's word if it is one of those
  // in public use ("user", "assistant", "tool", ..): templates write
  // '<|' + message.role + '|>'.
  bool from_conversation = false;
  // Inside {% generation %}: what the assistant wrote, as in transformers'
  // assistant mask. Text that reaches the output through a macro or a block
  // assignment keeps the mark (transformers shifts it there).
  bool in_generation = false;

  friend bool operator==(const ChatPiece&, const ChatPiece&) = default;
};

struct RenderedChat {
  // Neighbours differ in a flag; none is empty.
  std::vector<ChatPiece> pieces;

  std::string text() const;
};

struct TemplateProgram;  // template_nodes.h

class ChatTemplate {
 public:
  // `name` opens every error: "model/chat_template.jinja". CallerError for
  // text that jinja2 would refuse, for constructs outside template_parser.h
  // and for a template over 1 MiB.
  static ChatTemplate parse(std::string_view source, const std::string& name);

  // CallerError "{name}: line 12: ..": what the template itself raises
  // (raise_exception), an operation on an undefined value, a limit reached;
  // and for a conversation that apply_chat_template refuses.
  RenderedChat render(
      const Conversation& conversation, const RenderOptions& options) const;

  const std::string& source() const { return source_; }
  const std::string& name() const { return name_; }
  // Whether {% generation %} occurs in it: loss on the assistant's turns
  // needs that.
  bool marks_generation() const;

 private:
  ChatTemplate() = default;

  std::string source_;
  std::string name_;
  std::shared_ptr<const TemplateProgram> program_;
};

}  // namespace moft
