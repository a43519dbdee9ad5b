// Reference values: tests/reference/models/llama.py (transformers 4.57.6).
#include <cstring>
#include <filesystem>
#include <fstream>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/core/errors.h"
#include "moft/models/load.h"

#include "tests/models/decoder_support.h"
#include "tests/support/tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

const fs::path kReference =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models";
const fs::path kSmolLm2 =
    fs::path(MOFT_SOURCE_DIR) / "models/smollm2-135m-instruct.gguf";

at::Tensor read(const TensorSource& source, const std::string& name) {
  const TensorView view = source.find(name).value();
  const auto type = view.type == TensorType::kF64   ? at::kDouble
                    : view.type == TensorType::kI32 ? at::kInt
                                                    : at::kFloat;
  const at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

TokenIds ids_of(const TensorSource& source) {
  const at::Tensor ids = read(source, "ids");
  const auto* data = ids.const_data_ptr<std::int32_t>();
  return {data, data + ids.numel()};
}

std::unique_ptr<LanguageModel> load(const fs::path& path) {
  return std::move(load_language_model(path).model);
}

// Logits at every place of a text but the last, by scoring.
at::Tensor scored(LanguageModel& model, const TokenIds& ids) {
  at::NoGradGuard no_gradient;
  ScoreBatch batch;
  batch.prompts = {{ids[0]}};
  batch.completions = {TokenIds(ids.begin() + 1, ids.end())};
  batch.prompt_of_row = {0};
  return model.completion_logits(
      batch, RowSteering::uniform(Coefficients::frozen_reference()));
}

// The same by decoding after a prompt of `prompt` tokens; places from
// prompt - 1 on.
at::Tensor decoded(
    LanguageModel& model, const TokenIds& ids, std::size_t prompt) {
  const auto cut = ids.begin() + static_cast<std::ptrdiff_t>(prompt);
  const auto group = test::decode_group(
      {TokenIds(ids.begin(), cut)},
      {Coefficients::frozen_reference()},
      {{0, 0}},
      static_cast<std::int64_t>(ids.size() - prompt));
  // The last token is not fed.
  return test::decoded(model, group, {TokenIds(cut, ids.end())});
}

// Within 1e-5 of the largest logit of transformers' float32 result, or no
// further from its float64 result than twice its float32 one is.
void expect_equal(
    const at::Tensor& ours,
    const at::Tensor& single,
    const at::Tensor& exact,
    double largest_logit,
    double their_error) {
  ASSERT_EQ(ours.sizes(), single.sizes());
  const double from_single = test::largest(ours - single);
  const double from_exact = test::largest(ours.to(at::kDouble) - exact);
  EXPECT_TRUE(
      from_single <= 1e-5 * largest_logit || from_exact <= 2 * their_error)
      << "from float32 " << from_single << ", from float64 " << from_exact
      << ", theirs " << their_error << ", largest " << largest_logit;
}

class TinyLlama : public testing::TestWithParam<const char*> {
 protected:
  void expect_text(const at::Tensor& ours, std::int64_t first) {
    const std::int64_t places = ours.size(0);
    const at::Tensor exact = read(expected_, "float64");
    const at::Tensor single = read(expected_, "float32");
    expect_equal(
        ours,
        single.narrow(0, first, places),
        exact.narrow(0, first, places),
        test::largest(exact),
        test::largest(single.to(at::kDouble) - exact));
  }

  fs::path directory_ = kReference / GetParam();
  SafetensorsFile expected_{directory_ / "expected.safetensors"};
  TokenIds ids_ = ids_of(expected_);
  std::unique_ptr<LanguageModel> model_ = load(directory_);
};

TEST_P(TinyLlama, ScoredLogitsEqualTransformers) {
  expect_text(scored(*model_, ids_), 0);
}

TEST_P(TinyLlama, DecodedLogitsEqualTransformers) {
  expect_text(decoded(*model_, ids_, 1), 0);
  expect_text(decoded(*model_, ids_, 5), 4);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    TinyLlama,
    testing::Values(
        "llama_tied",
        "llama_untied",
        "llama_theta",
        "llama_qwen2",
        "llama_qwen3",
        "llama_gguf"),
    [](const auto& shape) { return std::string(shape.param); });

TEST(LlamaFiles, ShardsAreTheSameModel) {
  const SafetensorsFile expected(
      kReference / "llama_untied/expected.safetensors");
  const auto single = load(kReference / "llama_untied");
  const auto sharded = load(kReference / "llama_sharded");
  const TokenIds ids = ids_of(expected);
  EXPECT_TRUE(test::same_bits(scored(*single, ids), scored(*sharded, ids)));
}

TEST(LlamaFiles, AGgufInFloat32IsTheSameModelBitForBit) {
  const auto directory = load(kReference / "llama_gguf");
  const auto gguf = load(kReference / "llama_gguf_f32.gguf");
  const auto& theirs = gguf->steerable().parameters;
  const auto& ours = directory->steerable().parameters;
  ASSERT_EQ(theirs.size(), ours.size());
  for (std::size_t p = 0; p < ours.size(); ++p) {
    EXPECT_EQ(theirs[p]->name(), ours[p]->name());
    EXPECT_TRUE(test::same_bits(theirs[p]->reference(), ours[p]->reference()))
        << ours[p]->name();
  }
  const TokenIds ids{1, 2, 3, 60, 7};
  EXPECT_TRUE(test::same_bits(scored(*gguf, ids), scored(*directory, ids)));
  EXPECT_EQ(gguf->info().end_tokens, directory->info().end_tokens);
}

// Q8_0 rounds to half a step of 1/127 of a block's largest value; the step
// itself is a half-precision number (relative error up to 2^-11).
TEST(LlamaFiles, AGgufInQ8IsCloseToTheModel) {
  const auto directory = load(kReference / "llama_gguf");
  const auto gguf = load(kReference / "llama_gguf_q8_0.gguf");
  const auto& theirs = gguf->steerable().parameters;
  const auto& ours = directory->steerable().parameters;
  for (std::size_t p = 0; p < ours.size(); ++p) {
    const at::Tensor difference = theirs[p]->reference() - ours[p]->reference();
    EXPECT_LE(
        test::largest(difference),
        test::largest(ours[p]->reference()) * (1.0 / 254 + 0x1p-11))
        << ours[p]->name();
    if (ours[p]->reference().dim() == 2) {
      EXPECT_GT(test::largest(difference), 0) << ours[p]->name();
    }
  }
}

// llama_untied with one key of config.json changed.
class LlamaRefusals : public testing::Test {
 protected:
  LlamaRefusals() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / test->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::copy(source_ / "model.safetensors", folder_);
    std::ifstream file(source_ / "config.json");
    config_ = nlohmann::json::parse(file);
  }
  ~LlamaRefusals() override { fs::remove_all(folder_); }

  std::string refusal(const nlohmann::json& changes) {
    nlohmann::json config = config_;
    config.update(changes);
    std::ofstream(folder_ / "config.json") << config;
    try {
      load(folder_);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "loaded";
  }

  void expect_words(
      const nlohmann::json& changes, const std::vector<std::string>& words) {
    const std::string message = refusal(changes);
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << message;
    }
  }

  fs::path source_ = kReference / "llama_untied";
  fs::path folder_;
  nlohmann::json config_;
};

TEST_F(LlamaRefusals, NothingChangedIsLoaded) {
  EXPECT_EQ(refusal(nlohmann::json::object()), "loaded");
}

TEST_F(LlamaRefusals, OtherComputationsAreNamed) {
  expect_words(
      {{"rope_scaling", {{"rope_type", "mrope"}, {"factor", 8.0}}}},
      {"config.json", "rope_scaling", "mrope", "not supported"});
  expect_words({{"hidden_act", "gelu"}}, {"hidden_act", "gelu", "silu"});
  expect_words(
      {{"use_sliding_window", true},
       {"sliding_window", 16},
       {"max_window_layers", 1}},
      {"sliding_window of 16"});
  expect_words({{"partial_rotary_factor", 0.5}}, {"partial_rotary_factor"});
  expect_words({{"model_type", "gpt2"}}, {"model_type", "gpt2", "qwen3"});
}

TEST_F(LlamaRefusals, ImpossibleShapesAreNamed) {
  expect_words(
      {{"num_key_value_heads", 3}}, {"4 attention heads", "3 key/value"});
  expect_words(
      {{"num_attention_heads", 5}, {"head_dim", nullptr}},
      {"hidden_size 24", "5"});
  expect_words({{"head_dim", 5}}, {"head size 5", "even"});
  expect_words({{"num_hidden_layers", 0}}, {"num_hidden_layers", "0"});
  expect_words({{"vocab_size", "many"}}, {"vocab_size", "whole number"});
}

TEST_F(LlamaRefusals, MissingAndMisshapenTensorsAreNamed) {
  expect_words({{"num_hidden_layers", 3}}, {"model.layers.2.", "is missing"});
  expect_words(
      {{"intermediate_size", 30}},
      {"mlp.gate_proj.weight", "[28, 24]", "[30, 24]"});
}

TEST(LlamaTokens, WhatTheModelCannotReadIsRefused) {
  const auto model = load(kReference / "llama_untied");
  EXPECT_THROW(scored(*model, {1, 64}), CallerError);
  EXPECT_THROW(scored(*model, {-1, 3}), CallerError);
  EXPECT_THROW(scored(*model, TokenIds(33, 1)), CallerError);
  EXPECT_EQ(scored(*model, TokenIds(32, 1)).size(0), 31);
  EXPECT_THROW(decoded(*model, {64, 1}, 1), CallerError);
  EXPECT_THROW(decoded(*model, TokenIds(40, 1), 36), CallerError);
  ScoreBatch empty;
  empty.prompts = {{}};
  empty.completions = {{1}};
  empty.prompt_of_row = {0};
  EXPECT_THROW(
      model->completion_logits(
          empty, RowSteering::uniform(Coefficients::frozen_reference())),
      CallerError);
}

TEST(SmolLm2, LogitsEqualTransformers) {
  const fs::path fixture = kReference / "llama_smollm2.safetensors";
  if (!fs::exists(kSmolLm2) || !fs::exists(fixture)) {
    GTEST_SKIP() << "no models/smollm2-135m-instruct.gguf";
  }
  const SafetensorsFile expected(fixture);
  const auto model = load(kSmolLm2);
  const TokenIds ids = ids_of(expected);
  const auto places = static_cast<std::int64_t>(ids.size()) - 1;
  const at::Tensor chosen = read(expected, "chosen").to(at::kLong);
  const double largest = test::largest(read(expected, "largest"));
  const double error = test::largest(read(expected, "error"));
  for (const at::Tensor& ours :
       {scored(*model, ids), decoded(*model, ids, 1)}) {
    expect_equal(
        ours.gather(1, chosen.narrow(0, 0, places)),
        read(expected, "float32").narrow(0, 0, places),
        read(expected, "float64").narrow(0, 0, places),
        largest,
        error);
  }
}

}  // namespace
}  // namespace moft
