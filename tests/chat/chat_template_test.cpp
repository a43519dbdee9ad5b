// Chat templates as apply_chat_template uses them.
#include "moft/chat/chat_template.h"

#include <string>

#include <gtest/gtest.h>

#include "moft/chat/chat_templates.h"
#include "moft/core/errors.h"

#include "support.h"

namespace moft {
namespace {

Conversation say(const std::string& text, const std::string& role = "user") {
  Conversation conversation;
  conversation.messages = {{{"role", role}, {"content", text}}};
  return conversation;
}

std::string error_of(
    const std::string& source,
    const Conversation& conversation,
    const RenderOptions& options = {}) {
  const Outcome outcome = render_template(source, conversation, options);
  EXPECT_FALSE(outcome.rendered) << outcome.chat.text();
  return outcome.error;
}

TEST(ChatTemplate, TheTemplatesOwnMessageIsInTheError) {
  EXPECT_EQ(
      error_of(
          "\n{% for m in messages %}\n{{ raise_exception('Only ' ~ "
          "m.content) }}{% endfor %}",
          say("one")),
      "t: line 3: the template refuses the conversation: Only one");
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  EXPECT_EQ(
      error_of("a\n{{ 1 }}\n{{ missing.x }}", say("x")),
      "t: line 3: 'missing' is undefined");
  EXPECT_EQ(
      error_of("{% if yes %}\n\n{% endfor %}", say("x")),
      "t: line 3: the tag 'endfor' is not known here");
  EXPECT_EQ(
      error_of("\n{{ x|wordwrap }}", say("x")),
      "t: line 2: the filter 'wordwrap' is not supported");
  EXPECT_EQ(
      error_of(
          "{% macro m(a) %}\n{{ a.x.y }}{% endmacro %}\n{{ m({}) }}", say("x")),
      "t: line 2: 'dict object' has no attribute 'x'");
}

TEST(ChatTemplate, RefusesBothWaysToEnd) {
  RenderOptions options;
  options.add_generation_prompt = true;
  options.continue_final_message = true;
  EXPECT_EQ(
      error_of("{{ messages[0].content }}", say("x"), options),
      "t: add_generation_prompt opens a new message and "
      "continue_final_message continues the last one; choose one of them");
}

TEST(ChatTemplate, RefusesWhatIsNoConversation) {
  EXPECT_EQ(
      error_of("x", Conversation()),
      "t: a conversation needs at least one message");
  Conversation conversation = say("x");
  conversation.tools = {1};
  EXPECT_EQ(
      error_of("x", conversation),
      "t: tools and documents are lists of JSON objects");
  conversation = say("x");
  conversation.variables = {{"messages", 1}};
  EXPECT_EQ(
      error_of("x", conversation),
      "t: the variable 'messages' is set by the conversation; rename yours");
  EXPECT_EQ(
      error_of("x", say("\xff")),
      "t: line 1: a text of the conversation is not UTF-8");
}

TEST(ChatTemplate, RefusesSourcesThatAreNotText) {
  EXPECT_EQ(error_of("\xc3", say("x")), "t: the chat template is not UTF-8");
  EXPECT_EQ(
      error_of(std::string((1 << 20) + 1, 'x'), say("x")),
      "t: a chat template of over 1048576 bytes");
}

TEST(ChatTemplate, VariablesComeBeforeSpecialTokens) {
  Conversation conversation = say("x");
  conversation.variables = {{"bos_token", "mine"}};
  RenderOptions options;
  options.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  const Outcome outcome =
      render_template("{{ bos_token }}{{ eos_token }}", conversation, options);
  ASSERT_TRUE(outcome.rendered) << outcome.error;
  const std::vector<ChatPiece> expected = {{"mine", true}, {"</s>", false}};
  EXPECT_EQ(outcome.chat.pieces, expected);
}

TEST(ChatTemplate, KnowsWhetherItMarksGeneration) {
  EXPECT_FALSE(ChatTemplate::parse("generation", "t").marks_generation());
  EXPECT_TRUE(ChatTemplate::parse("{% generation %}{% endgeneration %}", "t")
                  .marks_generation());
}

TEST(ChatTemplates, AreChosenAsTransformersDoes) {
  const auto templates =
      ChatTemplates::parse({{"default", "d"}, {"tool_use", "t"}, {"rag", "r"}});
  EXPECT_EQ(templates.choose("", false).source(), "d");
  EXPECT_EQ(templates.choose("", true).source(), "t");
  EXPECT_EQ(templates.choose("rag", true).source(), "r");
  const auto one = ChatTemplates::parse({{"default", "x"}});
  EXPECT_EQ(one.choose("", true).source(), "x");
  EXPECT_EQ(one.choose("", false).name(), "the chat template 'default'");
}

TEST(ChatTemplates, NameWhatThereIs) {
  const auto templates = ChatTemplates::parse({{"rag", "r"}});
  try {
    templates.choose("", false);
    FAIL();
  } catch (const CallerError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "the model has no chat template 'default'; it has rag");
  }
}

}  // namespace
}  // namespace moft
