// Dialogues in the rows of a data file: lists of messages as TRL, OpenAI, verl
// ({"role", "content"}) and ShareGPT ({"from", "value"}) write them.
//
// A list that is not a dialogue is remembered with its fault, which is an error
// only where the dialogue is needed.
//
// Thread safety: plain data, pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace moft {

struct ChatMessage {
  std::string role;         // "system", "user", "assistant", "tool", ..
  std::string content;      // of a list of text parts: the parts joined
  bool has_content = true;  // false: absent or null, beside tool calls
  // The message's other keys (tool_calls, name, ..): a JSON object; empty:
  // none.
  std::string others = {};

  bool operator==(const ChatMessage&) const = default;
};

using ChatMessages = std::vector<ChatMessage>;

struct Dialogue {
  ChatMessages messages = {};
  // Why it cannot be read as one, with the cure; empty: it can.
  std::string fault = {};

  bool operator==(const Dialogue&) const = default;
};

// Whether a list of a row is meant as a dialogue: its first entry has a role or
// content, or ShareGPT's `from` and `value`.
bool looks_like_dialogue(const nlohmann::ordered_json& list);

// `name` is the field's, for the fault. ShareGPT's "human" and "gpt" become
// user and assistant.
Dialogue read_dialogue(
    const nlohmann::ordered_json& list, const std::string& name);

// {"role": .., "content": ..}, then the other keys.
nlohmann::ordered_json messages_to_json(const ChatMessages& messages);

// The number of messages up to and including the last user's; 0: there is none.
std::size_t count_to_last_user(const ChatMessages& messages);

// What rewards may read of a dialogue as text: "user" is the last user's
// message, "answer" the assistant's first after it, "system" the system's.
// Null where there is none.
const std::string* named_turn(
    const ChatMessages& messages, const std::string& name);

}  // namespace moft
