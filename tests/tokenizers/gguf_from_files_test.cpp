// Tokenizers of directories as GGUF metadata: the ids stay Hugging Face's.
#include "moft/tokenizers/gguf_from_files.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/tokenizers/gguf_tokenizer.h"

#include "tests/tokenizers/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using testing::fixtures;

struct Written {
  const char* fixture;
  const char* model;
  const char* pre;
};

class GgufFromFiles : public ::testing::TestWithParam<Written> {};

TEST_P(GgufFromFiles, IdsAreThoseOfTheDirectory) {
  const auto& [fixture, model, pre] = GetParam();
  const GgufTokenizerData data = gguf_tokenizer_of(fixtures() / fixture);
  EXPECT_EQ(data.model, model);
  EXPECT_EQ(data.pre, pre);
  EXPECT_EQ(data.token_types.size(), data.tokens.size());
  const auto tokenizer = make_tokenizer(data);
  testing::expect_same_as_hugging_face(*tokenizer, fixture, /*framed=*/true);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    GgufFromFiles,
    ::testing::Values(
        Written{"gpt2", "gpt2", "gpt-2"},
        Written{"smollm", "gpt2", "smollm"},
        Written{"llama3", "gpt2", "llama-bpe"},
        Written{"qwen", "gpt2", "qwen2"},
        Written{"default", "gpt2", "default"},
        Written{"spm_legacy", "llama", ""},
        Written{"spm_model", "llama", ""}),
    [](const auto& one) { return std::string(one.param.fixture); });

TEST(GgufFromFilesTest, TokenizersWithoutACounterpartAreRefusedByName) {
  const std::pair<const char*, const char*> kCases[] = {
      {"bert", "is not byte-pair encoding"},
      {"t5_json", "is not byte-pair encoding"},
      {"odd", "no name for"},
      {"spm_first", "pre-tokenizer"}};
  for (const auto& [fixture, part] : kCases) {
    try {
      gguf_tokenizer_of(fixtures() / fixture);
      ADD_FAILURE() << fixture;
    } catch (const CallerError& error) {
      const std::string said = error.what();
      EXPECT_NE(said.find(part), std::string::npos) << said;
      EXPECT_NE(said.find("llama.cpp"), std::string::npos) << said;
    }
  }
}

// Files of templates go before tokenizer_config.json, all of them, as in
// transformers.
TEST(GgufFromFilesTest, ChatTemplatesAndSpecialTokensAreKept) {
  const fs::path folder =
      fs::temp_directory_path() / fmt::format("moft_gguf_{}", ::getpid());
  fs::create_directories(folder / "additional_chat_templates");
  fs::copy(fixtures() / "qwen/tokenizer.json", folder / "tokenizer.json");
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  };
  write(
      "tokenizer_config.json",
      R"({"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
          "chat_template": [{"name": "default", "template": "old"},
                            {"name": "tool", "template": "with tools"}]})");
  write("chat_template.jinja", "new");
  write("additional_chat_templates/rag.jinja", "with texts");
  const GgufTokenizerData data = gguf_tokenizer_of(folder);
  fs::remove_all(folder);
  using Templates = std::map<std::string, std::string>;
  EXPECT_EQ(
      data.chat_templates,
      (Templates{{"default", "new"}, {"rag", "with texts"}}));
  EXPECT_EQ(data.tokens.at(static_cast<std::size_t>(*data.eos)), "<|im_end|>");
  EXPECT_EQ(
      data.tokens.at(static_cast<std::size_t>(*data.pad)), "<|endoftext|>");
  EXPECT_FALSE(data.add_bos);
  EXPECT_FALSE(data.add_eos);
}

}  // namespace
}  // namespace moft
