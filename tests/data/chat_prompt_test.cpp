// Rows with dialogues to prompts: which turns, which words, which refusals.
#include "moft/data/chat_prompt.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/data/fit_prompts.h"
#include "moft/data/prompt_maker.h"
#include "moft/tokenizers/hf_tokenizer.h"

namespace moft {
namespace {

// "u:hi|a:": one letter per role, and a variable.
constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role[0] + ':' + m.content + '|' }}"
    "{% endfor %}{{ mood if mood }}{% if add_generation_prompt %}a:{% endif %}";

ChatSettings settings() {
  ChatSettings chat;
  chat.templates["default"] = kTemplate;
  return chat;
}

// The example of a line of JSON.
Example row(const std::string& line) {
  const auto file = std::filesystem::path(testing::TempDir()) /
                    ("chat_prompt" + std::to_string(::getpid()) + ".jsonl");
  std::ofstream(file) << line << "\n";
  Example example = read_first_example(file);
  example.where = "rows.jsonl:1";
  std::filesystem::remove(file);
  return example;
}

std::string prompt_of(const std::string& line, const ChatSettings& chat) {
  return PromptMaker(ChatPrompt(chat)).render(row(line));
}

std::string refusal(const std::string& line, const ChatSettings& chat) {
  try {
    prompt_of(line, chat);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "none";
}

constexpr const char* kThreeTurns =
    R"({"messages": [{"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "2"}]})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST(ChatPrompt, EndsAtTheLastUsersTurn) {
  EXPECT_EQ(prompt_of(one_line(kThreeTurns), settings()), "u:one|a:1|u:two|a:");
}

// TRL's and verl's `prompt` is taken whole; an assistant's last turn goes on.
TEST(ChatPrompt, ADialogueInPromptIsThePrompt) {
  EXPECT_EQ(
      prompt_of(
          R"({"prompt": [{"role": "user", "content": "hi"}], "answer": "4"})",
          settings()),
      "u:hi|a:");
  EXPECT_EQ(
      prompt_of(
          R"({"prompt": [{"role": "user", "content": "hi"}, )"
          R"({"role": "assistant", "content": "Well"}]})",
          settings()),
      "u:hi|a:Well");
}

TEST(ChatPrompt, ReadsShareGptAndAFieldThatIsNamed) {
  EXPECT_EQ(
      prompt_of(
          R"({"conversations": [{"from": "human", "value": "hi"}]})",
          settings()),
      "u:hi|a:");
  ChatSettings chat = settings();
  chat.messages = "talk";
  EXPECT_EQ(
      prompt_of(R"({"talk": [{"role": "user", "content": "hi"}]})", chat),
      "u:hi|a:");
}

TEST(ChatPrompt, TheSystemMessageGoesWhereThereIsNone) {
  ChatSettings chat = settings();
  chat.system = "kind";
  EXPECT_EQ(
      prompt_of(R"({"messages": [{"role": "user", "content": "hi"}]})", chat),
      "s:kind|u:hi|a:");
  EXPECT_EQ(
      prompt_of(
          R"({"messages": [{"role": "system", "content": "own"}, )"
          R"({"role": "user", "content": "hi"}]})",
          chat),
      "s:own|u:hi|a:");
}

TEST(ChatPrompt, VariablesReachTheTemplate) {
  ChatSettings chat = settings();
  chat.kwargs["mood"] = "calm";
  EXPECT_EQ(
      prompt_of(R"({"messages": [{"role": "user", "content": "hi"}]})", chat),
      "u:hi|calma:");
  chat.kwargs["mood"] = "false";  // the truth value, not the text
  EXPECT_EQ(
      prompt_of(R"({"messages": [{"role": "user", "content": "hi"}]})", chat),
      "u:hi|a:");
}

TEST(ChatPrompt, RowsWithToolsTakeThatTemplate) {
  ChatSettings chat = settings();
  chat.templates["tool_use"] = "{{ tools[0].name }}";
  EXPECT_EQ(
      prompt_of(
          R"({"messages": [{"role": "user", "content": "hi"}], )"
          R"("tools": [{"name": "search"}]})",
          chat),
      "search");
  EXPECT_EQ(
      prompt_of(R"({"messages": [{"role": "user", "content": "hi"}]})", chat),
      "u:hi|a:");
}

// TRL's column: a row's variables come before the recipe's.
TEST(ChatPrompt, ARowsOwnVariablesComeFirst) {
  ChatSettings chat = settings();
  chat.kwargs["mood"] = "calm";
  const auto row_with = [](const std::string& kwargs) {
    return R"({"messages": [{"role": "user", "content": "hi"}], )"
           R"("chat_template_kwargs": )" +
           kwargs + "}";
  };
  EXPECT_EQ(prompt_of(row_with(R"({"mood": "glad"})"), chat), "u:hi|glada:");
  EXPECT_EQ(prompt_of(row_with(R"("{\"mood\": 7}")"), chat), "u:hi|7a:");
  EXPECT_EQ(prompt_of(row_with(R"({"mood": false})"), chat), "u:hi|a:");
  EXPECT_EQ(prompt_of(row_with(R"({"other": 1})"), chat), "u:hi|calma:");
  for (const char* none : {"null", "{}", R"("")", R"("{}")"})
    EXPECT_EQ(prompt_of(row_with(none), chat), "u:hi|calma:") << none;
  // In whole dialogues, which `moft sft` learns, too.
  const ChatPrompt prompt(chat);
  const ChatTurns all = prompt.all_turns(row(row_with(R"({"mood": "glad"})")));
  EXPECT_EQ(
      prompt.render(all, /*generation_prompt=*/false).text(), "u:hi|glad");
}

TEST(ChatPrompt, ColumnsThatATemplateCannotReadAreRefused) {
  const auto refused = [](const std::string& column) {
    return refusal(
        R"({"messages": [{"role": "user", "content": "hi"}], )" + column + "}",
        settings());
  };
  const char* object = "write an object, such as";
  for (const char* kwargs : {"3", "[1]", R"("calm")"}) {
    const std::string said =
        refused(R"("chat_template_kwargs": )" + std::string(kwargs));
    EXPECT_TRUE(said.starts_with("rows.jsonl:1: ")) << said;
    EXPECT_NE(said.find(object), std::string::npos) << said;
  }
  const std::string tools = refused(R"("tools": "a hammer")");
  EXPECT_NE(tools.find("lists of JSON objects"), std::string::npos) << tools;
  const std::string own =
      refused(R"("chat_template_kwargs": {"messages": []})");
  EXPECT_NE(own.find("is set by the conversation"), std::string::npos) << own;
}

// A weighting's words are in the first user's message, wherever that is.
TEST(ChatPrompt, WordsGoToTheFirstUsersTurn) {
  ChatSettings chat = settings();
  chat.system = "kind";
  const PromptMaker prompt{ChatPrompt(chat)};
  std::string text;
  for (const auto& piece : prompt.fill(row(one_line(kThreeTurns)), "x: 0.3. "))
    text += piece.text;
  EXPECT_EQ(text, "s:kind|u:x: 0.3. one|a:1|u:two|a:");
}

TEST(ChatPrompt, RefusalsNameTheRowAndTheCure) {
  const ChatSettings chat = settings();
  EXPECT_EQ(
      refusal(R"({"messages": [{"role": "user"}]})", chat),
      "rows.jsonl:1: message 1 of 'messages' has no content; give it a text");
  EXPECT_EQ(
      refusal(
          R"({"messages": [{"role": "assistant", "content": "hi"}]})", chat),
      "rows.jsonl:1: the dialogue 'messages' has no turn of the user; add one, "
      "or remove the row");
  EXPECT_EQ(
      refusal(R"({"messages": "hi"})", chat),
      "rows.jsonl:1: the chat template needs a list of messages in the field "
      "'messages', which this row has as a text; write [{\"role\": \"user\", "
      "\"content\": ..}], name the field in data.messages, or give "
      "data.prompt_template for texts");
  ChatSettings raising;
  raising.templates["default"] = "{{ raise_exception('Only one turn!') }}";
  EXPECT_NE(
      refusal(R"({"messages": [{"role": "user", "content": "hi"}]})", raising)
          .find("Only one turn!"),
      std::string::npos);
}

// The longest message is cut, the template never; the row keeps the cut text.
TEST(ChatPrompt, ALongMessageIsCutWhereThatIsWanted) {
  const auto tokenizer = load_tokenizer(
      std::string(MOFT_SOURCE_DIR) +
      "/tests/reference/tokenizers/fixtures/qwen");
  PromptLimits limits;
  limits.prompt = 12;
  const std::string line = R"({"messages": [{"role": "user", "content": ")" +
                           std::string(60, 'z') + R"("}], "id": 7})";
  const FittedExamples fitted = fit_examples(
      {row(line)},
      ChatPrompt(settings()),
      *tokenizer,
      limits,
      TooLong::kTruncateRight);
  ASSERT_EQ(fitted.examples.size(), 1U);
  EXPECT_EQ(fitted.report.truncated, 1);
  const std::string& kept =
      text_field(fitted.examples[0], "messages.user", "a test");
  EXPECT_LT(kept.size(), 60U);
  EXPECT_GT(kept.size(), 0U);
  EXPECT_EQ(
      PromptMaker(ChatPrompt(settings())).render(fitted.examples[0]),
      "u:" + kept + "|a:");
}

// verl's nested fields are texts that rewards can name.
TEST(ChatPrompt, FieldsInsideObjectsAreTexts) {
  const Example example = row(
      R"({"data_source": "gsm8k", "prompt": [{"role": "user", )"
      R"("content": "?"}], "reward_model": {"style": "rule", "ground_truth": "72"},)"
      R"( "extra_info": {"index": 3, "split": {"name": "train"}}})");
  EXPECT_EQ(text_field(example, "reward_model.ground_truth", "a test"), "72");
  EXPECT_EQ(text_field(example, "extra_info.split.name", "a test"), "train");
  EXPECT_EQ(text_field(example, "prompt.user", "a test"), "?");
  EXPECT_THROW(text_field(example, "extra_info.index", "a test"), CallerError);
  EXPECT_THROW(text_field(example, "prompt.answer", "a test"), CallerError);
}

}  // namespace
}  // namespace moft
