// The table of families: what it says of models that it lacks, and a family
// that is added from outside.
#include "moft/models/families.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/models/llama/family.h"
#include "moft/models/load.h"
#include "moft/models/random/initialise.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kTied =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/llama_tied";

std::string refusal(const json& config) {
  try {
    family_of_config(config, "config.json");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "found";
}

TEST(Families, NameTheModelTypesThatTheyRun) {
  const std::string message = refusal({{"model_type", "mpt"}});
  EXPECT_TRUE(message.starts_with(
      "config.json: model_type 'mpt' is not supported; moft runs "))
      << message;
  for (const char* type :
       {"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "t5"})
    EXPECT_NE(message.find(std::string(" ") + type), std::string::npos) << type;
  EXPECT_NE(message.find(" and "), std::string::npos) << message;
  EXPECT_NE(refusal(json::object()).find("model_type ''"), std::string::npos);
  EXPECT_NE(refusal({{"model_type", 3}}).find("''"), std::string::npos);
  EXPECT_EQ(refusal({{"model_type", "qwen3"}}), "found");
}

// A family under a new name that computes as Llama does.
ModelFamily outside_family() {
  ModelFamily family = llama_family();
  const ModelFamily llama = llama_family();
  const auto as_llama = [](json config) {
    config["model_type"] = "llama";
    return config;
  };
  family.name = "outside";
  family.model_types = {"outside"};
  family.gguf_architectures = {};
  family.make =
      [=](const json& config, const auto& place, const auto&... rest) {
        return llama.make(as_llama(config), place, rest...);
      };
  family.random.config = [=](const RandomModelShape& shape) {
    json config = llama.random.config(shape);
    config["model_type"] = "outside";
    return config;
  };
  return family;
}

TEST(Families, AreAddedFromOutside) {
  register_family(outside_family());
  EXPECT_EQ(refusal({{"model_type", "outside"}}), "found");
  RandomModelOptions options;
  options.family = random_family("outside");
  options.width = 16;
  options.heads = 2;
  options.feed_forward = 8;
  options.layers = 1;
  options.check("model.random.");
  RandomModelTokens tokens;
  tokens.count = 20;
  tokens.end = 1;
  const json config = random_model_config(options, tokens);
  const LoadedModel made = make_random_model(config, 3);
  EXPECT_EQ(made.model->info().vocabulary, 128);
  // And its saved models are read.
  const fs::path folder = fs::path(testing::TempDir()) / "outside_family";
  fs::remove_all(folder);
  fs::create_directories(folder);
  fs::copy(kTied / "model.safetensors", folder);
  json saved = json::parse(std::ifstream(kTied / "config.json"));
  saved["model_type"] = "outside";
  std::ofstream(folder / "config.json") << saved;
  const LoadedModel loaded = load_language_model(folder);
  EXPECT_EQ(
      loaded.model->info().parameters,
      load_language_model(kTied).model->info().parameters);
  EXPECT_EQ(loaded.config.at("model_type"), "outside");
}

}  // namespace
}  // namespace moft::test
