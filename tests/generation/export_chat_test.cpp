// Exports of policies that were trained on dialogues: every format carries the
// policy's own chat templates, not the base's.
#include <nlohmann/json.hpp>

#include "moft/checkpoints/gguf.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/generation/chat_files.h"
#include "moft/tokenizers/chat_template_files.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

using namespace test;
using nlohmann::json;
using Templates = std::map<std::string, std::string>;

const Steering kSteering{Weighting({0.3, 0.7}), 0.1};
const Templates kOwn = {
    {"default", "{% for m in messages %}{{ m.content }}b{% endfor %}"},
    {"tool_use", "{{ messages[0].content }}a"}};

class ExportChat : public TinyPolicyTest {
 protected:
  void SetUp() override {
    write_tiny_text(base() / "chat_template.jinja", "{{ 'base' }}");
    fs::create_directories(base() / "additional_chat_templates");
    write_tiny_text(base() / "additional_chat_templates/rag.jinja", "base");
    ChatSettings chat;
    chat.templates = kOwn;
    chat.special_tokens = {{"eos_token", "<end>"}};
    chat.system = "be kind";
    chat.kwargs = {{"enable_thinking", "false"}, {"depth", "3"}};
    policy_ = policy_on(base(), chat);
  }

  std::unique_ptr<SteeredPolicy> policy_on(
      const fs::path& model, const ChatSettings& chat) const {
    LoadedModel loaded = load_language_model(model);
    auto tokenizer = load_base_tokenizer(model, loaded);
    PolicyDefinition own = definition(SteeredSet::kLora);
    own.conditioning.prompt = PromptConditioningOptions{};
    own.chat = chat;
    return std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), own, 7);
  }

  fs::path write(ExportFormat format, const std::string& name) const {
    export_policy(
        *policy_, base(), kSteering, folder_ / name, {.format = format});
    return folder_ / name;
  }
  // What an export says of prompts: no template with fields, the words of its
  // weighting, and what dialogues go through.
  void expect_note(const std::string& text) const {
    const json note = json::parse(text);
    EXPECT_FALSE(note.contains("prompt_template"));
    EXPECT_EQ(note.at("chat").at("system"), "be kind");
    EXPECT_FALSE(note.at("chat").contains("templates"));
    EXPECT_EQ(
        note.at("chat").at("kwargs"),
        (json{{"enable_thinking", false}, {"depth", 3}}));
    EXPECT_EQ(
        note.at("chat").at("words_before_first_user"),
        policy_->info().prompt.words_of(kSteering.w));
  }

  std::unique_ptr<SteeredPolicy> policy_;
};

TEST_F(ExportChat, DirectoriesHoldThePolicysOwnTemplatesAlone) {
  for (const auto format : {ExportFormat::kHf, ExportFormat::kPeft}) {
    const fs::path folder = write(format, std::string(enum_name(format)));
    EXPECT_EQ(read_chat_templates(folder), kOwn);
    expect_note(read_text(folder / "moft_export.json"));
  }
}

TEST_F(ExportChat, GgufFilesHoldThePolicysOwnTemplatesAlone) {
  const fs::path file = write(ExportFormat::kGguf, "model.gguf");
  EXPECT_EQ(read_chat_settings(file).templates, kOwn);
  expect_note(GgufFile(file).text("moft.export"));
  const GgufFile adapter(write(ExportFormat::kGgufAdapter, "adapter.gguf"));
  EXPECT_EQ(adapter.text("tokenizer.chat_template"), kOwn.at("default"));
  EXPECT_EQ(
      adapter.text("tokenizer.chat_template.tool_use"), kOwn.at("tool_use"));
  EXPECT_FALSE(adapter.has("tokenizer.chat_template.rag"));
  expect_note(adapter.text("moft.export"));
}

// A GGUF file with such a name could not be read back.
TEST_F(ExportChat, NamesThatGgufCannotHoldAreRefused) {
  ChatSettings chat;
  chat.templates = {{"default", "a"}, {"tool use", "b"}};
  policy_ = policy_on(base(), chat);
  for (const auto format : {ExportFormat::kGguf, ExportFormat::kGgufAdapter}) {
    try {
      write(format, "model.gguf");
      FAIL() << "written";
    } catch (const CallerError& error) {
      EXPECT_NE(
          std::string(error.what()).find("the chat template 'tool use'"),
          std::string::npos)
          << error.what();
    }
    EXPECT_FALSE(fs::exists(folder_ / "model.gguf"));
  }
}

// The base's templates come from its metadata, not from files.
TEST_F(ExportChat, AGgufBasesTemplatesAreReplacedToo) {
  const fs::path file = write(ExportFormat::kGguf, "base.gguf");
  ChatSettings chat;
  chat.templates = {{"default", "{{ messages[0].content }}"}};
  policy_ = policy_on(file, chat);
  const auto export_to = [&](ExportFormat format, const std::string& name) {
    export_policy(
        *policy_, file, std::nullopt, folder_ / name, {.format = format});
    return read_chat_settings(folder_ / name).templates;
  };
  EXPECT_EQ(export_to(ExportFormat::kHf, "hf"), chat.templates);
  EXPECT_EQ(export_to(ExportFormat::kGguf, "own.gguf"), chat.templates);
}

}  // namespace
}  // namespace moft
