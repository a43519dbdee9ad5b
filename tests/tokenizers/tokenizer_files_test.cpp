#include "moft/tokenizers/tokenizer_files.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

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
  EXPECT_TRUE(
      fs::exists(folder_ / "to/additional_chat_templates/rag.jinja"));
}

}  // namespace
}  // namespace moft
