// The tag after the last message.
#include "moft/chat/continued_message.h"

#include "moft/chat/characters.h"
#include "moft/chat/fault.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// transformers' own tag: a conversation that holds it is cut there, too.
constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kTagWord = kTag.substr(0, kTag.size() - 1);

// The text of the last block that has one.
ChatJson* last_text(ChatJson& blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (block->is_object() && block->contains("text")) return &(*block)["text"];
  }
  return nullptr;
}

}  // namespace

ContinuedMessage::ContinuedMessage(
    const ChatJson& messages, const std::string& field, std::string_view source)
    : tagged_(messages) {
  ChatJson& last = tagged_.back();
  ChatJson* text = nullptr;
  if (last.is_object() && last.contains(field)) text = &last[field];
  if (text == nullptr || text->is_null()) {
    fault("the last message has no {} to continue", quote_text(field));
  }
  if (source.find(field) == std::string_view::npos) {
    fault(
        "the template does not use {}, which is to be continued",
        quote_text(field));
  }
  if (text->is_array()) text = last_text(*text);
  if (text == nullptr || !text->is_string())
    fault("the last message has no text to continue in {}", quote_text(field));
  text_ = text->get<std::string>();
  *text = text_ + std::string(kTag);
}

MarkedText ContinuedMessage::cut(const MarkedText& rendered) const {
  const std::string& bytes = rendered.bytes();
  std::string_view message(text_);
  message = message.substr(0, end_without_space(message));
  message = message.substr(skip_space(message, 0));
  const std::size_t tag = bytes.rfind(kTagWord);
  if (tag == std::string::npos || bytes.find(message) == std::string::npos) {
    fault(
        "the template leaves out parts of the last message, which is to be "
        "continued: {}",
        quote_text(message));
  }
  const bool keeps_space =
      std::string_view(bytes).substr(tag).starts_with(kTag);
  const std::string_view before = std::string_view(bytes).substr(0, tag);
  return rendered.part(0, keeps_space ? tag : end_without_space(before));
}

}  // namespace moft::jinja
