// Which bytes come from the conversation: they must never become special
// tokens, whatever a template does with them.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/chat/chat_template.h"

#include "support.h"

namespace moft {
namespace {

// The pieces as one text, those of the conversation in braces.
std::string marked(const std::string& source, const ChatJson& more = {}) {
  Conversation conversation;
  conversation.messages = {{{"role", "user"}, {"content", "Ab c"}}};
  if (!more.is_null()) conversation.messages[0].update(more);
  conversation.tools = {{{"name", "find"}, {"n", 3}}};
  RenderOptions options;
  options.special_tokens = {{"bos_token", "<s>"}};
  options.now = fixture_time();
  const Outcome outcome = render_template(
      "{% set m = messages[0] %}{% set c = m.content %}" + source,
      conversation,
      options);
  EXPECT_TRUE(outcome.rendered) << source << ": " << outcome.error;
  std::string text;
  for (const ChatPiece& piece : outcome.chat.pieces) {
    text += piece.from_conversation ? "{" + piece.text + "}" : piece.text;
  }
  return text;
}

TEST(ChatMarks, TextsOfTheTemplateAreItsOwn) {
  EXPECT_EQ(marked("<a>{{ '<b>' }}{{ bos_token }}{{ 1 + 1 }}"), "<a><b><s>2");
  EXPECT_EQ(marked("{{ strftime_now('%Y') }}"), "2026");
}

TEST(ChatMarks, ValuesOfTheConversationAreNot) {
  EXPECT_EQ(marked("<a>{{ c }}</a>"), "<a>{Ab c}</a>");
  EXPECT_EQ(marked("{{ m.x }}", {{"x", 7}}), "{7}");
  EXPECT_EQ(marked("{{ m.x }}", {{"x", true}}), "{True}");
  EXPECT_EQ(marked("{{ m.x }}", {{"x", nullptr}}), "{None}");
  EXPECT_EQ(marked("{{ m.x + 1 }}", {{"x", 7}}), "{8}");
  EXPECT_EQ(marked("{{ -m.x }}", {{"x", 2.25}}), "{-2.25}");
}

TEST(ChatMarks, TravelThroughJoiningAndCutting) {
  EXPECT_EQ(marked("{{ '<' + c + '>' }}"), "<{Ab c}>");
  EXPECT_EQ(marked("{{ '<' ~ c ~ '>' }}"), "<{Ab c}>");
  EXPECT_EQ(marked("{{ ('<' + c + '>')[1:] }}"), "{Ab c}>");
  EXPECT_EQ(marked("{{ ('<' + c + '>')[::-1] }}"), ">{c bA}<");
  EXPECT_EQ(marked("{{ ('<' + c + '>')[0] }}"), "<");
  EXPECT_EQ(marked("{{ (' ' + c + ' ')|trim }}"), "{Ab c}");
  EXPECT_EQ(marked("{{ (c + '|x').split('|') | join('-') }}"), "{Ab c}-x");
  EXPECT_EQ(marked("{{ c.split(' ')[0] ~ '!' }}"), "{Ab}!");
  EXPECT_EQ(marked("{{ [c, 'x', c]|join('<s>') }}"), "{Ab c}<s>x<s>{Ab c}");
  EXPECT_EQ(marked("{{ (c ~ '+') * 2 }}"), "{Ab c}+{Ab c}+");
}

TEST(ChatMarks, TravelThroughReplacing) {
  EXPECT_EQ(marked("{{ c.replace('b', '<b>') }}"), "{A}<b>{ c}");
  EXPECT_EQ(marked("{{ c|replace(' ', '') }}"), "{Abc}");
  EXPECT_EQ(marked("{{ 'x<y>'.replace('y', c) }}"), "x<{Ab c}>");
  EXPECT_EQ(marked("{{ c|upper }}{{ ('x' ~ c)|capitalize }}"), "{AB C}X{ab c}");
  EXPECT_EQ(marked("{{ ('<' ~ c)|safe }}{{ c.lower() }}"), "<{Ab cab c}");
}

TEST(ChatMarks, TravelThroughLoopsMacrosAndBlocks) {
  EXPECT_EQ(marked("{% for x in c %}{{ x }}.{% endfor %}"), "{A}.{b}.{ }.{c}.");
  EXPECT_EQ(
      marked("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(c) }}"), "<{Ab c}>");
  EXPECT_EQ(marked("{% set t %}<{{ c }}>{% endset %}{{ t }}"), "<{Ab c}>");
  EXPECT_EQ(
      marked("{% set n = namespace(s='') %}{% for x in [c, 'y'] %}{% set n.s = "
             "n.s ~ x %}{% endfor %}{{ n.s }}"),
      "{Ab c}y");
  EXPECT_EQ(
      marked("{% for k in m %}{{ k }},{% endfor %}"), "{role},{content},");
  EXPECT_EQ(
      marked("{% for k, v in m|items %}{{ k }}={{ v }},{% endfor %}"),
      "{role}=user,{content}={Ab c},");
}

// A list of the conversation is printed as its own, brackets and all:
// "[INST]" could be made of them.
TEST(ChatMarks, PrintedContainersCountAsTheirSource) {
  EXPECT_EQ(marked("{{ tools }}"), "{[{'name': 'find', 'n': 3}]}");
  EXPECT_EQ(marked("{{ tools|tojson }}"), "{[{\"name\": \"find\", \"n\": 3}]}");
  EXPECT_EQ(marked("{{ {'<s>': c} | tojson }}"), "{\"<s>\": {\"Ab c\"}}");
  EXPECT_EQ(marked("{{ [c, '<s>'] }}"), "[{'Ab c'}, '<s>']");
  EXPECT_EQ(marked("{{ c|tojson }}"), "{\"Ab c\"}");
  EXPECT_EQ(marked("{{ tools[0].n|string }}"), "{3}");
  EXPECT_EQ(marked("{{ messages|length }}"), "1");
}

// '<|' + role + '|>' writes special tokens in public templates.
TEST(ChatMarks, KnownRolesAreTheTemplatesWords) {
  EXPECT_EQ(marked("<|{{ m.role }}|>"), "<|user|>");
  EXPECT_EQ(marked("<|{{ m['role'] }}|>", {{"role", "tool"}}), "<|tool|>");
  EXPECT_EQ(
      marked("<|{{ m.role }}|>", {{"role", "endoftext"}}), "<|{endoftext}|>");
  EXPECT_EQ(marked("{{ m.role }}", {{"role", "a|>"}}), "{a|>}");
}

TEST(ChatMarks, GenerationIsMarkedBesideTheSource) {
  const Outcome outcome = render_template(
      "{% for m in messages %}a{% generation %}b{{ m.content }}{% "
      "endgeneration %}{% endfor %}c",
      {{{{"role", "user"}, {"content", "x"}}}, {}, {}, {}},
      {});
  const std::vector<ChatPiece> expected = {
      {"a", false, false},
      {"b", false, true},
      {"x", true, true},
      {"c", false, false}};
  EXPECT_EQ(outcome.chat.pieces, expected);
}

// transformers counts what the template has written so far and misses what a
// macro holds back; here the mark stays with the bytes.
TEST(ChatMarks, GenerationInAMacroStaysWithItsBytes) {
  const Outcome outcome = render_template(
      "{% macro f() %}a{% generation %}b{% endgeneration %}{% endmacro %}x{{ "
      "f() }}{% set t %}{% generation %}c{% endgeneration %}{% endset %}y{{ t "
      "}}",
      {{{{"role", "user"}}}, {}, {}, {}},
      {});
  const std::vector<ChatPiece> expected = {
      {"xa", false, false},
      {"b", false, true},
      {"y", false, false},
      {"c", false, true}};
  EXPECT_EQ(outcome.chat.pieces, expected);
}

}  // namespace
}  // namespace moft
