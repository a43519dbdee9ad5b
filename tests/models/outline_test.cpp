// The shapes of models that are only a config.json.
#include "moft/models/outline.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/models/load.h"

#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

// FLAN-T5-XL's, and Llama-7B's.
constexpr const char* kT5Xl =
    R"({"model_type": "t5", "vocab_size": 32128, "d_model": 2048, "d_kv": 64,
        "d_ff": 5120, "num_layers": 24, "num_decoder_layers": 24,
        "num_heads": 32, "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32, "tie_word_embeddings": false,
        "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0,
        "layer_norm_epsilon": 1e-6})";
constexpr const char* kLlama7b =
    R"({"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096,
        "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "tie_word_embeddings": false,
        "bos_token_id": 1, "eos_token_id": 2})";

class Outline : public testing::Test {
 protected:
  Outline() : folder_(fs::temp_directory_path() / "moft_outline_test") {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Outline() override { fs::remove_all(folder_); }

  std::int64_t parameters_of(const char* config) const {
    std::ofstream(folder_ / "config.json") << config;
    return outline_language_model(folder_)->info().parameters;
  }

  fs::path folder_;
};

TEST_F(Outline, CountsTheParametersOfKnownModels) {
  EXPECT_EQ(parameters_of(kT5Xl), 2'849'757'184);
  EXPECT_EQ(parameters_of(kLlama7b), 6'738'415'616);
}

TEST_F(Outline, HasTheShapesOfTheLoadedModel) {
  write_tiny_model(folder_);
  EXPECT_TRUE(has_weights(folder_));
  const LoadedModel loaded = load_language_model(folder_);
  const auto outline = outline_language_model(folder_);
  EXPECT_EQ(outline->info().parameters, loaded.model->info().parameters);
  const Steerable& mine = outline->steerable();
  const Steerable& theirs = loaded.model->steerable();
  ASSERT_EQ(mine.parameters.size(), theirs.parameters.size());
  for (std::size_t i = 0; i < mine.parameters.size(); ++i) {
    EXPECT_EQ(mine.parameters[i]->name(), theirs.parameters[i]->name());
    EXPECT_EQ(mine.parameters[i]->shape(), theirs.parameters[i]->shape());
  }
}

TEST_F(Outline, NamesWhatIsMissing) {
  EXPECT_FALSE(has_weights(folder_));
  try {
    outline_language_model(folder_);
    FAIL();
  } catch (const CallerError& error) {
    EXPECT_NE(
        std::string(error.what()).find("holds no config.json"),
        std::string::npos)
        << error.what();
  }
  EXPECT_THROW(parameters_of(R"({"model_type": "mamba"})"), CallerError);
  EXPECT_THROW(parameters_of("[]"), CallerError);
}

}  // namespace
}  // namespace moft::test
