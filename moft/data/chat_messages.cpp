// Reads lists of messages.
#include "moft/data/chat_messages.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kShareGptRoles[][2] = {
    {"human", "user"}, {"gpt", "assistant"}};

std::string role_of_sharegpt(const std::string& from) {
  for (const auto& [theirs, ours] : kShareGptRoles)
    if (from == theirs) return ours;
  return from;
}

// Parts of a content: {"type": "text", "text": ..}.
std::string joined_parts(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    if (!part.is_object() || !part.contains("type")) {
      throw_caller_error(
          "has a content part without type; write "
          "{{\"type\": \"text\", \"text\": ..}}, or the content as one text");
    }
    const Json& type = part["type"];
    if (type != "text") {
      throw_caller_error(
          "has a content part of type {}; moft reads text alone: remove the "
          "part or the row",
          quote_text(type.is_string() ? type.get<std::string>() : type.dump()));
    }
    if (!part.contains("text") || !part["text"].is_string())
      throw_caller_error("has a text part without text; give it \"text\"");
    text += part["text"].get<std::string>();
  }
  return text;
}

// Whether a message may have no content.
bool calls_tools(const Json& message) {
  return message.contains("tool_calls") || message.contains("function_call");
}

void read_content(const Json& value, ChatMessage& message) {
  if (value.is_string()) {
    message.content = value.get<std::string>();
  } else if (value.is_array()) {
    message.content = joined_parts(value);
  } else {
    throw_caller_error(
        "has content of type {}; give it a text", value.type_name());
  }
}

// CallerError without place.
ChatMessage read_message(const Json& value) {
  if (!value.is_object()) {
    throw_caller_error(
        "is of type {}; write {{\"role\": .., \"content\": ..}}",
        value.type_name());
  }
  const bool sharegpt = !value.contains("role") && value.contains("from");
  const std::string role_key = sharegpt ? "from" : "role";
  const std::string content_key = sharegpt ? "value" : "content";
  if (!value.contains(role_key) || !value[role_key].is_string()) {
    throw_caller_error(
        "has no role; give it \"role\": \"user\", \"assistant\" or \"system\"");
  }
  ChatMessage message;
  message.role = value[role_key].get<std::string>();
  if (sharegpt) message.role = role_of_sharegpt(message.role);
  const auto content = value.find(content_key);
  const bool none = content == value.end() || content->is_null();
  if (none && !calls_tools(value))
    throw_caller_error("has no {}; give it a text", content_key);
  message.has_content = !none;
  if (!none) read_content(*content, message);
  Json others = value;
  others.erase(role_key);
  if (!none) others.erase(content_key);
  if (!others.empty()) message.others = others.dump();
  return message;
}

}  // namespace

bool looks_like_dialogue(const Json& list) {
  if (!list.is_array() || list.empty() || !list.front().is_object())
    return false;
  const Json& first = list.front();
  return first.contains("role") || first.contains("content") ||
         (first.contains("from") && first.contains("value"));
}

Dialogue read_dialogue(const Json& list, const std::string& name) {
  Dialogue dialogue;
  std::size_t number = 0;
  for (const Json& value : list) {
    ++number;
    try {
      dialogue.messages.push_back(read_message(value));
    } catch (const CallerError& error) {
      dialogue.fault = fmt::format(
          "message {} of {} {}", number, quote_text(name), error.what());
      return dialogue;
    }
  }
  return dialogue;
}

Json messages_to_json(const ChatMessages& messages) {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    Json object;
    object["role"] = message.role;
    if (message.has_content) object["content"] = message.content;
    if (!message.others.empty()) object.update(Json::parse(message.others));
    list.push_back(std::move(object));
  }
  return list;
}

std::size_t count_to_last_user(const ChatMessages& messages) {
  std::size_t count = messages.size();
  while (count > 0 && messages[count - 1].role != "user")
    --count;
  return count;
}

const std::string* named_turn(
    const ChatMessages& messages, const std::string& name) {
  const std::size_t asked = count_to_last_user(messages);
  if (name == "user") return asked > 0 ? &messages[asked - 1].content : nullptr;
  const std::string role = name == "answer" ? "assistant" : "system";
  if (name != "answer" && name != role) return nullptr;
  for (std::size_t i = name == "answer" ? asked : 0; i < messages.size(); ++i)
    if (messages[i].role == role) return &messages[i].content;
  return nullptr;
}

}  // namespace moft
