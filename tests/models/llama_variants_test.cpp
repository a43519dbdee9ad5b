// Reference values: tests/reference/models/llama_variants.py (transformers
// 4.57.6 and 5.17.0).
#include <cstring>
#include <filesystem>
#include <fstream>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/core/errors.h"
#include "moft/models/llama/config.h"
#include "moft/models/load.h"

#include "tests/support/tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models";
const fs::path kVariants = kReference / "llama_variants";
const std::vector<std::int64_t> kPlaces{0, 3, 9, 17, 26, 40, 55, 61};

at::Tensor read(const TensorSource& source, const std::string& name) {
  const TensorView view = source.find(name).value();
  const auto type = view.type == TensorType::kF64   ? at::kDouble
                    : view.type == TensorType::kI32 ? at::kInt
                                                    : at::kFloat;
  const at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

class LlamaVariants : public testing::Test {
 protected:
  LlamaVariants() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) /
              (std::string(test->test_suite_name()) + "-" + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::copy(kVariants / "model.safetensors", folder_);
    const at::Tensor ids = read(expected_, "ids");
    ids_.assign(
        ids.const_data_ptr<std::int32_t>(),
        ids.const_data_ptr<std::int32_t>() + ids.numel());
  }
  ~LlamaVariants() override { fs::remove_all(folder_); }

  static json configs(const std::string& version) {
    std::ifstream file(kVariants / ("configs_" + version + ".json"));
    return json::parse(file);
  }
  std::unique_ptr<LanguageModel> load(const json& config) {
    std::ofstream(folder_ / "config.json") << config;
    return std::move(load_language_model(folder_).model);
  }
  std::string refusal(const json& config) {
    try {
      load(config);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "loaded";
  }
  void expect_words(const json& config, const std::vector<std::string>& words) {
    const std::string message = refusal(config);
    for (const std::string& word : words)
      EXPECT_NE(message.find(word), std::string::npos) << message;
  }

  at::Tensor logits(LanguageModel& model) const {
    at::NoGradGuard no_gradient;
    ScoreBatch batch;
    batch.prompts = {{ids_[0]}};
    batch.completions = {TokenIds(ids_.begin() + 1, ids_.end())};
    batch.prompt_of_row = {0};
    return model
        .completion_logits(
            batch, RowSteering::uniform(Coefficients::frozen_reference()))
        .index_select(0, at::tensor(kPlaces));
  }
  // Within 1e-5 of the largest logit of transformers' float32 result, or no
  // further from its float64 result than twice its float32 one is.
  void expect_logits(LanguageModel& model, const std::string& name) {
    const auto places = static_cast<std::int64_t>(kPlaces.size()) - 1;
    const at::Tensor ours = logits(model).narrow(0, 0, places);
    const at::Tensor single =
        read(expected_, name + ".float32").narrow(0, 0, places);
    const at::Tensor exact =
        read(expected_, name + ".float64").narrow(0, 0, places);
    const double theirs = test::largest(single.to(at::kDouble) - exact);
    EXPECT_TRUE(
        test::largest(ours - single) <= 1e-5 * test::largest(exact) ||
        test::largest(ours.to(at::kDouble) - exact) <= 2 * theirs)
        << name << ": " << test::largest(ours - single);
  }

  SafetensorsFile expected_{kVariants / "expected.safetensors"};
  TokenIds ids_;
  fs::path folder_;
};

TEST_F(LlamaVariants, LogitsEqualBothVersionsOfTransformers) {
  for (const char* version : {"4", "5"}) {
    const json all = configs(version);
    EXPECT_EQ(all.size(), 11u);
    for (const auto& [name, config] : all.items()) {
      SCOPED_TRACE(std::string(version) + " " + name);
      expect_logits(*load(config), name);
    }
  }
}

// llama.cpp's files: rope_freqs.weight, and the keys of scalings.
TEST_F(LlamaVariants, GgufFilesAreTheSameModels) {
  for (const char* name : {"llama3", "linear", "yarn"}) {
    LoadedModel loaded =
        load_language_model(kVariants / (std::string(name) + ".gguf"));
    expect_logits(*loaded.model, name);
    // The configuration that an export writes.
    expect_logits(*load(loaded.config), name);
    EXPECT_EQ(loaded.config["rope_scaling"]["rope_type"], name);
    EXPECT_EQ(
        loaded.model->info().end_tokens, (std::vector<std::int32_t>{31, 30}));
  }
}

TEST_F(LlamaVariants, FactorsOfNoKnownKindAreWrittenAsLists) {
  DecoderConfig shape;
  shape.architecture = "llama";
  shape.head_size = 8;
  shape.context = 64;
  shape.rope.scaling.kind = RopeKind::kFactors;
  shape.rope.scaling.factors = {1.0, 1.5, 3.0, 3.5};
  const json written = llama_config_to_json(shape)["rope_scaling"];
  EXPECT_EQ(written["rope_type"], "longrope");
  EXPECT_EQ(written["long_factor"], written["short_factor"]);
  EXPECT_EQ(written["long_factor"], json({1.0, 1.5, 3.0, 3.5}));
}

TEST_F(LlamaVariants, DynamicScalingEndsAtTheOriginalContext) {
  const auto model = load(configs("5")["dynamic"]);
  ids_.resize(64, 1);
  EXPECT_NO_THROW(logits(*model));
  ids_.push_back(1);
  try {
    logits(*model);
    ADD_FAILURE() << "65 tokens were read";
  } catch (const CallerError& error) {
    EXPECT_NE(std::string(error.what()).find("dynamic"), std::string::npos);
  }
}

TEST_F(LlamaVariants, OtherScalingsAreNamedWithTheCure) {
  json config = configs("4")["llama3"];
  const auto with = [&](const std::string& key, const json& value) {
    json changed = config;
    changed["rope_scaling"][key] = value;
    return changed;
  };
  expect_words(with("rope_type", "mrope"), {"rope_scaling", "mrope", "llama3"});
  expect_words(with("low_freq_factor", 4.0), {"high_freq_factor", "above"});
  expect_words(with("factor", nullptr), {"rope_scaling.factor", "above 0"});
  expect_words(
      with("original_max_position_embeddings", 1e300),
      {"original_max_position_embeddings", "1e+300"});
  expect_words(with("rope_theta", 0.5), {"rope_theta is 0.5"});
  expect_words(with("partial_rotary_factor", 0.5), {"whole heads"});
  expect_words(with("type", "yarn"), {"rope_type and type differ"});
  json two = config;
  two["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 2.0}};
  expect_words(two, {"rope_scaling and rope_parameters differ"});
  json outer = config;
  outer["original_max_position_embeddings"] = 64;
  expect_words(outer, {"original_max_position_embeddings is 64", "32"});
  config = configs("4")["longrope"];
  expect_words(
      with("long_factor", json(std::vector<double>(8, 2.0))),
      {"longrope", "not supported"});
}

TEST_F(LlamaVariants, AWindowMustCoverTheContext) {
  json config = configs("4")["mistral"];
  config["sliding_window"] = 63;
  expect_words(
      config, {"sliding_window of 63", "set max_position_embeddings to 63"});
  config.erase("sliding_window");  // transformers' default is 4096
  EXPECT_EQ(refusal(config), "loaded");
  config["max_position_embeddings"] = 4097;
  expect_words(
      config,
      {"a sliding_window of 4096 (the key is missing) in a context of 4097",
       "(sliding_window: null)"});
  config["sliding_window"] = nullptr;
  EXPECT_EQ(refusal(config), "loaded");
}

// What transformers' AutoConfig says of a file without the keys; both versions.
TEST_F(LlamaVariants, MissingKeysMeanTransformersDefaults) {
  struct Default {
    const char* type;
    std::int64_t context, kv_heads, head_size;
  };
  for (const Default& expected : std::initializer_list<Default>{
           {"llama", 2048, 64, 32},
           {"mistral", 131072, 8, 32},
           {"qwen2", 32768, 32, 32},
           {"qwen3", 32768, 32, 128}}) {
    json config = {
        {"model_type", expected.type},
        {"vocab_size", 64},
        {"hidden_size", 2048},
        {"intermediate_size", 48},
        {"num_hidden_layers", 2},
        {"num_attention_heads", 64},
        {"sliding_window", nullptr}};
    const auto found = llama_config_from_json(config, "config.json");
    EXPECT_EQ(found.context, expected.context) << expected.type;
    EXPECT_EQ(found.kv_heads, expected.kv_heads) << expected.type;
    EXPECT_EQ(found.head_size, expected.head_size) << expected.type;
    EXPECT_EQ(found.norm_epsilon, 1e-6);
    EXPECT_EQ(found.rope.theta, 1e4);
    EXPECT_FALSE(found.tied_head);
    config["num_key_value_heads"] = nullptr;
    EXPECT_EQ(llama_config_from_json(config, "config.json").kv_heads, 64);
  }
}

TEST_F(LlamaVariants, QuantisedWeightsAreNamed) {
  json config = configs("4")["plain"];
  config["quantization_config"] = {{"quant_method", "gptq"}};
  expect_words(config, {"quantization_config", "GGUF"});
}

// Settings that transformers 5.17 warns of and does not read, or that end it.
TEST_F(LlamaVariants, NothingOfTheRotarySettingsIsIgnored) {
  const auto with = [&](const json& settings) {
    json config = configs("4")["plain"];
    for (const char* key : {"rope_scaling", "rope_parameters", "rope_theta"})
      config.erase(key);
    config["rope_parameters"] = settings;
    return config;
  };
  const json plain = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  EXPECT_EQ(refusal(with(plain)), "loaded");
  const json tuned = {
      {"rope_type", "linear"}, {"factor", 4.0}, {"finetuned", true}};
  EXPECT_EQ(refusal(with(tuned)), "loaded");
  expect_words(
      with({{"full_attention", plain}}),
      {"rope_parameters.full_attention is {", "not a setting", "default"});
  expect_words(
      with({{"rope_typo", "linear"}, {"factor", 4.0}}),
      {"rope_parameters.", "is 4.0, which is not a setting of rotary"});
  json no_kind = configs("4")["plain"];
  no_kind["rope_scaling"] = {{"factor", 2.0}};
  expect_words(
      no_kind,
      {"rope_scaling.factor is 2.0, which is not a setting of rotary "
       "embeddings of kind default (rope_type is missing); correct"});
  expect_words(
      with(
          {{"rope_type", "linear"},
           {"factor", 4.0},
           {"mrope_section", {2, 1, 1}}}),
      {"rope_parameters.mrope_section is [2,1,1]", "kind linear"});
  for (const json& kind : {json(nullptr), json(5), json("")})
    expect_words(
        with({{"rope_type", kind}}), {"rope_parameters = {", "llama3"});
  expect_words(with("linear"), {"rope_parameters is \"linear\"", "object"});
  json two = with(plain);
  two["rope_theta"] = 3e5;
  expect_words(
      two, {"rope_theta is 300000 and rope_parameters.rope_theta is 500000"});
  json layers = with(plain);
  layers["layer_types"] = "full_attention";
  expect_words(layers, {"layer_types must list the kind of each of the"});
  layers["layer_types"] = std::vector<std::string>(
      layers["num_hidden_layers"].get<std::size_t>(), "chunked_attention");
  expect_words(layers, {"layer_types", "sliding_attention and full_attention"});
}

}  // namespace
}  // namespace moft
