// A model's chat templates: where they are read from, and written to.
#include "moft/generation/chat_files.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using Templates = std::map<std::string, std::string>;
using test::write_tiny_text;

class ChatFiles : public test::TinyPolicyTest {
 protected:
  Templates templates() const { return read_chat_settings(base()).templates; }
  void write_config(const std::string& text) const {
    write_tiny_text(base() / "tokenizer_config.json", text);
  }
};

TEST_F(ChatFiles, AModelMayHaveNone) {
  EXPECT_TRUE(templates().empty());
  EXPECT_TRUE(read_chat_settings(base()).special_tokens.empty());
}

// transformers' order: files come before tokenizer_config.json, all of them.
TEST_F(ChatFiles, AreReadWhereTransformersReadsThem) {
  write_config(
      R"({"chat_template": "one", "eos_token": {"content": "<end>"}})");
  EXPECT_EQ(templates(), (Templates{{"default", "one"}}));
  write_config(
      R"({"chat_template": [{"name": "default", "template": "a"},
                            {"name": "tool_use", "template": "b"}],
          "bos_token": null, "eos_token": "<end>"})");
  EXPECT_EQ(templates(), (Templates{{"default", "a"}, {"tool_use", "b"}}));
  write_tiny_text(base() / "chat_template.jinja", "file");
  EXPECT_EQ(templates(), (Templates{{"default", "file"}}));
  fs::create_directories(base() / "additional_chat_templates");
  write_tiny_text(base() / "additional_chat_templates/rag.jinja", "more");
  EXPECT_EQ(templates(), (Templates{{"default", "file"}, {"rag", "more"}}));
  write_tiny_text(base() / "special_tokens_map.json", R"({"pad_token": "a"})");
  EXPECT_EQ(
      read_chat_settings(base()).special_tokens,
      (Templates{{"eos_token", "<end>"}, {"pad_token", "a"}}));
}

TEST_F(ChatFiles, ATemplateOfAnotherTypeIsRefused) {
  for (const char* value : {"3", R"([{"name": 1}])", R"([{"name": "rag"}])"}) {
    write_config(R"({"chat_template": )" + std::string(value) + "}");
    EXPECT_THROW(templates(), CallerError) << value;
  }
}

TEST_F(ChatFiles, WhatIsWrittenIsReadFirst) {
  write_config(R"({"chat_template": "old"})");
  fs::create_directories(base() / "additional_chat_templates");
  write_tiny_text(base() / "additional_chat_templates/rag.jinja", "old");
  ChatSettings chat;
  chat.templates = {{"default", "new\n"}, {"tool_use", "tools"}};
  write_chat_templates(chat, base());
  EXPECT_EQ(templates(), chat.templates);
}

ChatSettings tiny_chat() {
  ChatSettings chat;
  chat.templates["default"] =
      "{% for m in messages %}{{ m.role[0] + m.content + '<end>' }}"
      "{% endfor %}{% if add_generation_prompt %}a{% endif %}";
  chat.special_tokens["eos_token"] = "<end>";
  chat.kwargs["thinking"] = "false";
  chat.messages = "talk";
  chat.system = "s";
  return chat;
}

TEST_F(ChatFiles, APolicyKeepsItsChatSettings) {
  auto policy = make(SteeredSet::kLora);
  PolicyDefinition definition = policy->definition();
  definition.chat = tiny_chat();
  const std::string text = definition_text(definition);
  EXPECT_NE(text.find("\"format_version\": 3"), std::string::npos);
  const PolicyDefinition read = parse_definition(text, "here");
  EXPECT_EQ(read.chat, definition.chat);
  EXPECT_EQ(definition_text(read), text);
  EXPECT_EQ(read.info().prompt.text(), tiny_chat().templates.at("default"));
}

// Words are in the first user's message; the reference reads the plain prompt.
TEST_F(ChatFiles, WordsOfAWeightingAreInTheFirstUsersMessage) {
  ChatSettings chat = tiny_chat();
  chat.system.reset();
  const PromptFormat format(chat, PromptWords{{"kind", "short"}, 1});
  const auto tokenizer = load_base_tokenizer(base(), {});
  Example example;
  example.dialogues["talk"] = {
      {{"user", "hi"}, {"assistant", "yes"}, {"user", "why"}}};
  const Prompt prompt = format.fill(example, *tokenizer);
  const Weighting w({0.3, 0.7});
  const std::string words = format.words_of(w);
  example.dialogues["talk"].messages[0].content = words + "hi";
  EXPECT_EQ(
      format.encode(prompt, &w, *tokenizer),
      PromptFormat(chat).fill(example, *tokenizer).ids);
  EXPECT_EQ(format.encode(prompt, nullptr, *tokenizer), prompt.ids);
  EXPECT_THROW(
      format.whole("u hi", "here", /*weighted=*/true, *tokenizer), CallerError);
}

}  // namespace
}  // namespace moft
