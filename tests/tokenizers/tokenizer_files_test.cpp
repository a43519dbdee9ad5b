#include "moft/tokenizers/tokenizer_files.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "moft/tokenizers/tokenizer_json.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

class TokenizerFiles : public testing::Test {
 protected:
  TokenizerFiles() : folder_(fs::path(testing::TempDir()) / "TokenizerFiles") {
    fs::remove_all(folder_);
    fs::create_directories(base());
  }
  ~TokenizerFiles() override { fs::remove_all(folder_); }

  fs::path base() const { return folder_ / "base"; }
  void put(const fs::path& name) const {
    fs::create_directories((base() / name).parent_path());
    std::ofstream(base() / name) << "text of " << name.string();
  }

  fs::path folder_;
};

TEST_F(TokenizerFiles, EveryFileOfATokenizerAndItsChatTemplatesIsListed) {
  const std::vector<fs::path> kept = {
      "added_tokens.json",
      "additional_chat_templates/tool_use.jinja",
      "chat_template.jinja",
      "chat_template.json",
      "merges.txt",
      "sentencepiece.bpe.model",
      "special_tokens_map.json",
      "spiece.model",
      "tokenizer.json",
      "tokenizer.model",
      "tokenizer_config.json",
      "vocab.json",
      "vocab.txt"};
  for (const fs::path& name : kept)
    put(name);
  for (const char* name :
       {"config.json",
        "generation_config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "pytorch_model.bin",
        "model.gguf",
        "moft.json",
        "README.md"}) {
    put(name);
  }
  EXPECT_EQ(list_tokenizer_files(base()), kept);
}

TEST_F(TokenizerFiles, CopiesAreNoLongerTheOriginals) {
  put("tokenizer.json");
  put("additional_chat_templates/rag.jinja");
  fs::create_symlink("tokenizer.json", base() / "vocab.json");
  copy_tokenizer_files(base(), folder_ / "to");
  std::ofstream(base() / "tokenizer.json") << "changed";
  for (const char* name : {"tokenizer.json", "vocab.json"}) {
    std::ifstream copy(folder_ / "to" / name);
    std::string line;
    std::getline(copy, line);
    EXPECT_EQ(line, "text of tokenizer.json");
    EXPECT_FALSE(fs::is_symlink(folder_ / "to" / name));
  }
  EXPECT_TRUE(fs::exists(folder_ / "to/additional_chat_templates/rag.jinja"));
}

// Where transformers 4.57.6 and 5.17.0 look for them: apply_chat_template of
// both reads the first, and the second by its name.
TEST(TokenizerJson, AGgufFilesChatTemplatesBecomeFiles) {
  GgufTokenizerData data;
  data.model = "gpt2";
  data.pre = "llama-bpe";
  data.tokens = {"a", "<|begin|>"};
  data.token_types = {1, 3};
  data.bos = 1;
  data.add_bos = true;
  data.chat_templates = {
      {"default", "{{ messages[0]['content'] }}"}, {"tool_use", "{{ tools }}"}};
  const auto files = tokenizer_files(data);
  EXPECT_EQ(files.at("chat_template.jinja"), data.chat_templates.at("default"));
  EXPECT_EQ(
      files.at("additional_chat_templates/tool_use.jinja"), "{{ tools }}");
  EXPECT_EQ(files.size(), 4u);
  data.chat_templates.clear();
  EXPECT_EQ(tokenizer_files(data).size(), 2u);
}

}  // namespace
}  // namespace moft
