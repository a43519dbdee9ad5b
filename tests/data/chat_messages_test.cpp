// Dialogues in rows: the forms that are read, and the faults that are named.
#include "moft/data/chat_messages.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace moft {
namespace {

using Json = nlohmann::ordered_json;

Dialogue read(const char* text) {
  const Json list = Json::parse(text);
  EXPECT_TRUE(looks_like_dialogue(list)) << text;
  return read_dialogue(list, "messages");
}

TEST(ReadDialogue, TakesOpenAisMessages) {
  const Dialogue dialogue = read(
      R"([{"role": "system", "content": "Be kind."},
          {"role": "user", "content": [{"type": "text", "text": "a"},
                                       {"type": "text", "text": "b"}]},
          {"role": "assistant", "content": null,
           "tool_calls": [{"b": 1, "a": 2}]},
          {"role": "tool", "content": "c", "name": "t"}])");
  EXPECT_EQ(dialogue.fault, "");
  ASSERT_EQ(dialogue.messages.size(), 4U);
  EXPECT_EQ(dialogue.messages[1].content, "ab");
  EXPECT_FALSE(dialogue.messages[2].has_content);
  // What the template sees: keys in their order, null kept.
  EXPECT_EQ(
      messages_to_json(dialogue.messages)[2].dump(),
      R"({"role":"assistant","content":null,"tool_calls":[{"b":1,"a":2}]})");
  EXPECT_EQ(
      messages_to_json(dialogue.messages)[3].dump(),
      R"({"role":"tool","content":"c","name":"t"})");
}

TEST(ReadDialogue, TakesShareGptsTurns) {
  const Dialogue dialogue = read(
      R"([{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}])");
  ASSERT_EQ(dialogue.messages.size(), 2U);
  EXPECT_EQ(dialogue.messages[0], (ChatMessage{"user", "hi"}));
  EXPECT_EQ(dialogue.messages[1], (ChatMessage{"assistant", "ho"}));
}

TEST(ReadDialogue, NamesWhatIsWrongWithAMessage) {
  const std::pair<const char*, const char*> kFaults[] = {
      {R"([{"content": "hi"}])",
       "message 1 of 'messages' has no role; give it \"role\": \"user\", "
       "\"assistant\" or \"system\""},
      {R"([{"role": "user", "content": "hi"}, "ho"])",
       "message 2 of 'messages' is of type string; write {\"role\": .., "
       "\"content\": ..}"},
      {R"([{"role": "user"}])",
       "message 1 of 'messages' has no content; give it a text"},
      {R"([{"role": "user", "content": 3}])",
       "message 1 of 'messages' has content of type number; give it a text"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])",
       "message 1 of 'messages' has a content part of type 'image_url'; moft "
       "reads text alone: remove the part or the row"},
  };
  for (const auto& [text, fault] : kFaults)
    EXPECT_EQ(read(text).fault, fault) << text;
}

TEST(ReadDialogue, OtherListsAreNotDialogues) {
  for (const char* text : {"[]", "[1]", R"(["a"])", R"([{"a": "b"}])", "{}"})
    EXPECT_FALSE(looks_like_dialogue(Json::parse(text))) << text;
}

TEST(NamedTurn, FindsTheLastQuestionAndItsAnswer) {
  const ChatMessages messages = {
      {"system", "s"},
      {"user", "one"},
      {"assistant", "1"},
      {"user", "two"},
      {"assistant", "2"}};
  EXPECT_EQ(*named_turn(messages, "user"), "two");
  EXPECT_EQ(*named_turn(messages, "answer"), "2");
  EXPECT_EQ(*named_turn(messages, "system"), "s");
  EXPECT_EQ(named_turn(messages, "tool"), nullptr);
  // TRL's `completion` has the answer alone.
  EXPECT_EQ(*named_turn({{"assistant", "1"}}, "answer"), "1");
  EXPECT_EQ(named_turn({{"assistant", "1"}}, "user"), nullptr);
  EXPECT_EQ(count_to_last_user(messages), 4U);
}

}  // namespace
}  // namespace moft
