// Reference values: tests/reference/models/gemma.py (transformers 4.57.6 and
// 5.17.0).
#include <cstring>
#include <filesystem>
#include <fstream>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/core/errors.h"
#include "moft/models/gemma/config.h"
#include "moft/models/load.h"
#include "moft/models/random/initialise.h"

#include "tests/models/decoder_support.h"
#include "tests/support/tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models";

at::Tensor read(const TensorSource& source, const std::string& name) {
  const TensorView view = source.find(name).value();
  const auto type = view.type == TensorType::kF64   ? at::kDouble
                    : view.type == TensorType::kI32 ? at::kInt
                                                    : at::kFloat;
  const at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

TokenIds ids_of(const TensorSource& source, const std::string& name) {
  const at::Tensor ids = read(source, name);
  const auto* data = ids.const_data_ptr<std::int32_t>();
  return {data, data + ids.numel()};
}

class Gemma : public testing::Test {
 protected:
  Gemma() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name =
        std::string(test->test_suite_name()) + "-" + test->name();
    std::ranges::replace(name, '/', '-');
    folder_ = fs::path(testing::TempDir()) / name;
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Gemma() override { fs::remove_all(folder_); }

  static json config(const std::string& model, const std::string& version) {
    return json::parse(
        std::ifstream(kReference / model / ("config_" + version + ".json")));
  }
  std::unique_ptr<LanguageModel> load(
      const std::string& model, const json& config) {
    const auto weights = kReference / model / "model.safetensors";
    fs::copy(weights, folder_, fs::copy_options::overwrite_existing);
    std::ofstream(folder_ / "config.json") << config;
    return std::move(load_language_model(folder_).model);
  }
  std::string refusal(const std::string& key, const json& value) {
    json changed = config("gemma_3", "4");
    changed[key] = value;
    try {
      load("gemma_3", changed);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "loaded";
  }

  fs::path folder_;
};

class GemmaModels : public Gemma,
                    public testing::WithParamInterface<const char*> {
 protected:
  std::unique_ptr<LanguageModel> load_version(const std::string& version) {
    return load(GetParam(), config(GetParam(), version));
  }
  ScoreBatch text() const {
    ScoreBatch batch;
    batch.prompts = {{ids_[0]}};
    batch.completions = {TokenIds(ids_.begin() + 1, ids_.end())};
    batch.prompt_of_row = {0};
    return batch;
  }
  // Within 1e-5 of the largest logit, as the other families.
  void expect_logits(const at::Tensor& ours, std::int64_t first) const {
    const at::Tensor exact = read(expected_, "float64");
    EXPECT_LE(
        test::largest(
            ours.to(at::kDouble) - exact.narrow(0, first, ours.size(0))),
        1e-5 * test::largest(exact));
  }

  SafetensorsFile expected_{kReference / GetParam() / "expected.safetensors"};
  TokenIds ids_ = ids_of(expected_, "ids");
};

TEST_P(GemmaModels, LogitsEqualBothVersionsOfTransformers) {
  const at::NoGradGuard no_gradient;
  for (const char* version : {"4", "5"}) {
    const auto model = load_version(version);
    expect_logits(
        model->completion_logits(
            text(), RowSteering::uniform(Coefficients::frozen_reference())),
        0);
    EXPECT_EQ(model->info().end_tokens, std::vector<std::int32_t>{1});
  }
}

TEST_P(GemmaModels, DecodingContinuesAsTransformersDoes) {
  const TokenIds greedy = ids_of(expected_, "greedy");
  const auto cut = greedy.begin() + 5;
  const auto model = load_version("4");
  const auto group = test::decode_group(
      {TokenIds(greedy.begin(), cut)},
      {Coefficients::frozen_reference()},
      {{0, 0}},
      greedy.end() - cut);
  const TokenIds written(cut, greedy.end());
  const at::Tensor logits = test::decoded(*model, group, {written});
  const at::Tensor next = logits.argmax(1);
  for (std::size_t t = 0; t < written.size(); ++t)
    EXPECT_EQ(
        next[static_cast<std::int64_t>(t)].item<std::int64_t>(), written[t]);
  expect_logits(
      test::decoded(
          *model,
          test::decode_group(
              {TokenIds(ids_.begin(), ids_.begin() + 3)},
              {Coefficients::frozen_reference()},
              {{0, 0}},
              std::ssize(ids_) - 3),
          {TokenIds(ids_.begin() + 3, ids_.end())}),
      2);
}

TEST_P(GemmaModels, ARowsBitsDoNotDependOnItsNeighbours) {
  const auto model = load_version("4");
  const auto decoded = [&](const std::vector<TokenIds>& texts) {
    std::vector<DecodeRow> rows;
    std::vector<TokenIds> completions;
    for (std::size_t p = 0; p < texts.size(); ++p) {
      rows.push_back({static_cast<std::int64_t>(p), 0});
      completions.push_back({5, 9, 7});
    }
    return test::decoded_rows(
        *model->open_decoder({}),
        test::decode_group(texts, {Coefficients::frozen_reference()}, rows, 4),
        completions);
  };
  const std::vector<TokenIds> prompts{{2, 7, 4}, {2, 30, 8, 8, 11}, {2, 3}};
  const auto together = decoded(prompts);
  for (std::size_t p = 0; p < prompts.size(); ++p)
    EXPECT_TRUE(test::same_bits(decoded({prompts[p]})[0], together[p])) << p;
}

TEST_P(GemmaModels, GradientsEqualTransformers) {
  const auto model = load_version("5");
  const Coefficients trained(0.0, Weighting::uniform(1));
  for (const auto& parameter : model->steerable().parameters) {
    parameter->make_shared();
    parameter->begin_gradient(trained);
  }
  model->steerable().first_steered_layer = 0;
  const at::Tensor logits =
      model->completion_logits(text(), RowSteering::uniform(trained));
  const at::Tensor targets =
      at::tensor(std::vector<std::int64_t>(ids_.begin() + 1, ids_.end()));
  at::nll_loss(at::log_softmax(logits, 1), targets).backward();
  int compared = 0;
  for (const auto& parameter : model->steerable().parameters) {
    const std::string name = "gradient " + parameter->name();
    if (!expected_.find(name)) continue;
    const at::Tensor wanted = read(expected_, name);
    EXPECT_LE(
        test::largest(parameter->leaf().grad() - wanted),
        2e-5 * test::largest(wanted))
        << name;
    ++compared;
  }
  EXPECT_EQ(compared, 6);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    GemmaModels,
    testing::Values("gemma_3", "gemma_3_linear", "gemma_2"),
    [](const auto& shape) { return std::string(shape.param); });

using GemmaFiles = Gemma;

TEST_F(GemmaFiles, TheContextEndsAtTheWindow) {
  json config = GemmaFiles::config("gemma_3", "4");
  EXPECT_EQ(load("gemma_3", config)->info().context, 16);
  const auto model = load("gemma_3", config);
  ScoreBatch batch;
  batch.prompts = {TokenIds(16, 3)};
  batch.completions = {{1}};
  batch.prompt_of_row = {0};
  try {
    model->completion_logits(
        batch, RowSteering::uniform(Coefficients::frozen_reference()));
    ADD_FAILURE();
  } catch (const CallerError& error) {
    EXPECT_NE(
        std::string(error.what()).find("sliding window"), std::string::npos);
  }
  config["layer_types"] = std::vector<std::string>(3, "full_attention");
  EXPECT_EQ(load("gemma_3", config)->info().context, 64);
}

// What transformers' AutoConfig says of a file without the keys; both versions.
TEST_F(GemmaFiles, MissingKeysMeanTransformersDefaults) {
  json config = {
      {"model_type", "gemma2"},
      {"vocab_size", 64},
      {"hidden_size", 64},
      {"intermediate_size", 48},
      {"num_hidden_layers", 2},
      {"num_attention_heads", 8}};
  try {
    gemma_config_from_json(config, "config.json");
    ADD_FAILURE();
  } catch (const CallerError& error) {
    EXPECT_STREQ(
        error.what(),
        "config.json: key 'attn_logit_softcapping' is missing, which means 50; "
        "moft computes attention without a soft cap, which null turns off");
  }
  const auto expect = [](const DecoderConfig& c, double cap, double theta) {
    EXPECT_EQ(c.context, 4096);  // the window
    EXPECT_EQ(c.kv_heads, 4);
    EXPECT_EQ(c.head_size, 256);
    EXPECT_EQ(c.query_scale, 256);
    EXPECT_EQ(c.logit_cap, cap);
    EXPECT_EQ(c.norm_epsilon, 1e-6);
    EXPECT_EQ(c.rope.theta, theta);
    EXPECT_EQ(c.local_rope.theta, 1e4);
    EXPECT_TRUE(c.tied_head);
    EXPECT_TRUE(c.is_local(0));
  };
  config["attn_logit_softcapping"] = nullptr;
  const auto gemma2 = gemma_config_from_json(config, "config.json");
  expect(gemma2, 30, 1e4);
  EXPECT_FALSE(gemma2.is_local(1));
  config.erase("attn_logit_softcapping");
  config["model_type"] = "gemma3_text";
  const auto gemma3 = gemma_config_from_json(config, "config.json");
  expect(gemma3, 0, 1e6);
  EXPECT_TRUE(gemma3.is_local(4));
  EXPECT_FALSE(gemma3.is_local(5));
}

TEST_F(GemmaFiles, RefuseOtherComputations) {
  EXPECT_EQ(refusal("attn_logit_softcapping", nullptr), "loaded");
  EXPECT_NE(refusal("num_key_value_heads", nullptr), "loaded");
  for (const auto& [key, value] : std::map<std::string, json>{
           {"attn_logit_softcapping", 50.0},
           {"hidden_activation", "gelu"},
           {"layer_types", {"chunked_attention", "full_attention", "x"}},
           {"use_bidirectional_attention", true},
           {"num_key_value_heads", 3},
           {"query_pre_attn_scalar", 0}}) {
    EXPECT_NE(refusal(key, value), "loaded") << key;
  }
}

TEST_F(GemmaFiles, ARandomModelIsReadBack) {
  RandomModelOptions options;
  options.family = random_family("gemma");
  options.width = 16;
  options.heads = 2;
  options.key_value_heads = 1;
  options.feed_forward = 24;
  options.layers = 2;
  RandomModelTokens tokens;
  tokens.count = 40;
  tokens.end = 1;
  const LoadedModel made =
      make_random_model(random_model_config(options, tokens), 4);
  EXPECT_EQ(made.model->info().family, "gemma");
  EXPECT_EQ(made.model->info().context, options.context);
  for (const auto& parameter : made.model->steerable().parameters) {
    const bool norm = parameter->shape().size() == 1;
    const double spread =
        parameter->reference().std(/*unbiased=*/false).item<double>();
    EXPECT_NEAR(spread, norm ? 0.0 : 0.02, norm ? 0.0 : 0.004)
        << parameter->name();
  }
}

// What transformers 5.17 makes of each config: the thetas of layers that see
// the whole context, and of those with a window. Flat settings of a Gemma 3 and
// nested ones of a Gemma 2 end it with an exception.
TEST_F(GemmaFiles, RopeParametersAreReadAsTransformers5Writes) {
  struct Case {
    json changes;
    double theta;
    double local_theta;
  };
  const json full = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  const json local = {{"rope_type", "default"}, {"rope_theta", 2e3}};
  const json kind = {{"rope_type", "default"}};
  const auto nested = [](const json& whole, const json& window) {
    return json{{"full_attention", whole}, {"sliding_attention", window}};
  };
  const auto read = [](const char* model, const json& changes) {
    json config = Gemma::config(model, "5");
    config.erase("rope_parameters");
    config.update(changes);
    return gemma_config_from_json(config, "config.json");
  };
  for (const Case& one : std::vector<Case>{
           {json::object(), 1e6, 1e4},
           {{{"rope_parameters", json::object()}}, 1e6, 1e4},
           {{{"rope_parameters", nested(full, local)}}, 5e5, 2e3},
           {{{"rope_parameters", {{"full_attention", full}}},
             {"rope_local_base_freq", 77.0}},
            5e5,
            77.0},
           {{{"rope_parameters", nested(nullptr, local)}, {"rope_theta", 3e5}},
            3e5,
            2e3},
           {{{"rope_parameters", nested(kind, kind)},
             {"rope_theta", 3e5},
             {"rope_local_base_freq", 77.0}},
            3e5,
            77.0},
           {{{"rope_parameters", nested(kind, kind)}}, 1e6, 1e4}}) {
    const DecoderConfig config = read("gemma_3", one.changes);
    EXPECT_EQ(config.rope.theta, one.theta) << one.changes;
    EXPECT_EQ(config.local_rope.theta, one.local_theta) << one.changes;
  }
  EXPECT_EQ(read("gemma_2", {{"rope_parameters", full}}).rope.theta, 5e5);

  const auto expect_refusal =
      [&](const char* model, const json& changes, const std::string& words) {
        try {
          read(model, changes);
          ADD_FAILURE() << changes << " was read";
        } catch (const CallerError& error) {
          EXPECT_NE(std::string(error.what()).find(words), std::string::npos)
              << error.what();
        }
      };
  const std::string key = "config.json: rope_parameters";
  expect_refusal(
      "gemma_3",
      {{"rope_parameters", full}},
      key +
          ".rope_theta is not a kind of layer; this model's settings are in "
          "rope_parameters.full_attention and "
          "rope_parameters.sliding_attention");
  json more = nested(full, local);
  more["rope_theta"] = 1e4;
  expect_refusal("gemma_3", {{"rope_parameters", more}}, key + ".rope_theta");
  expect_refusal("gemma_3", {{"rope_parameters", {1}}}, key + " = [1]");
  expect_refusal("gemma_3", {{"rope_parameters", "x"}}, key + " = \"x\"");
  expect_refusal(
      "gemma_3",
      {{"rope_parameters", nested(full, 3)}},
      key + ".sliding_attention is 3; give an object");
  expect_refusal(
      "gemma_3",
      {{"rope_parameters", nested(full, {{"rope_theta", 0.5}})}},
      key + ".sliding_attention.rope_theta is 0.5; give a number above 1");
  expect_refusal(
      "gemma_3",
      {{"rope_parameters", nested(full, local)}, {"rope_theta", 3e5}},
      "rope_theta is 300000 and rope_parameters.full_attention.rope_theta is "
      "500000");
  expect_refusal(
      "gemma_3",
      {{"rope_local_base_freq", 0.5}},
      "config.json: rope_local_base_freq is 0.5; give a number above 1");
  expect_refusal(
      "gemma_2",
      {{"rope_parameters", nested(full, full)}},
      key + ".full_attention is {");
}

}  // namespace
}  // namespace moft
