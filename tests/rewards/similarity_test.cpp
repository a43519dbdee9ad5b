// What a preflight finds about a sentence encoder without its weights.
#include "moft/rewards/similarity.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

class TextEmbedderFiles : public ::testing::Test {
 protected:
  TextEmbedderFiles() {
    folder_ = fs::path(::testing::TempDir()) / "text_embedder_files";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    const fs::path reference = fs::path(MOFT_SOURCE_DIR) / "tests/reference";
    fs::copy(reference / "tokenizers/fixtures/bert/tokenizer.json", folder_);
    std::ifstream(reference / "models/bert_tiny_gelu/config.json") >> config_;
  }
  ~TextEmbedderFiles() override { fs::remove_all(folder_); }

  std::string complaint(const nlohmann::json& config) const {
    std::ofstream(folder_ / "config.json") << config;
    try {
      tokens_ = check_text_embedder(folder_);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "none";
  }

  fs::path folder_;
  nlohmann::json config_;
  mutable std::int64_t tokens_ = 0;
};

TEST_F(TextEmbedderFiles, AreCheckedWithoutWeights) {
  config_["vocab_size"] = 5000;
  EXPECT_EQ(complaint(config_), "none");
  EXPECT_EQ(tokens_, config_["max_position_embeddings"]);
  config_["vocab_size"] = 10;
  EXPECT_NE(complaint(config_).find("embeds 10"), std::string::npos);
  config_["model_type"] = "distilbert";
  EXPECT_NE(complaint(config_).find("\"distilbert\""), std::string::npos);
}

}  // namespace
}  // namespace moft
