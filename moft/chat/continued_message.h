// continue_final_message of transformers' apply_chat_template: the last
// message stays open.
//
// A tag is put after the message's text, the conversation is rendered, and the
// result ends where the tag begins.
#pragma once

#include <string>
#include <string_view>

#include "moft/chat/chat_template.h"
#include "moft/chat/marked_text.h"

namespace moft::jinja {

class ContinuedMessage {
 public:
  // `field` of the last message is a text, or a list of blocks of which the
  // last with a "text" is taken. Fault if there is no text, or if the
  // template's source does not mention the field.
  ContinuedMessage(
      const ChatJson& messages,
      const std::string& field,
      std::string_view source);

  // The messages with the tag.
  const ChatJson& tagged() const { return tagged_; }
  // The rendered text up to the tag; without the white space before it if the
  // template trims the message. Fault if the message or tag is not in it.
  MarkedText cut(const MarkedText& rendered) const;

 private:
  ChatJson tagged_;
  std::string text_;
};

}  // namespace moft::jinja
