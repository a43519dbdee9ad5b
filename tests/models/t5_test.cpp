// Reference values: tests/reference/models/make_t5.py (transformers 4.57.6).
#include <cstdlib>
#include <fstream>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/models/t5/relative.h"

#include "tests/models/t5_support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using namespace t5_test;

class T5Logits : public TinyT5 {};

TEST_P(T5Logits, ScoredLogitsEqualTransformers) {
  expect_logits(scored(*model_, pairs({prompt_}, {completion_})), expected_);
}

TEST_P(T5Logits, DecodedLogitsEqualTransformers) {
  const auto batch =
      decode_group({prompt_}, {Coefficients::frozen_reference()}, {{0, 0}});
  expect_logits(decoded(*model_, batch, {completion_}), expected_);
}

TEST_P(T5Logits, GreedyTokensEqualTransformers) {
  const auto group = decode_group(
      {{5, 1}, prompt_}, {Coefficients::frozen_reference()}, {{0, 0}, {1, 0}});
  const auto decoder = model_->open_decoder({});
  const auto slots = decoder->admit(group).slots;
  at::Tensor logits = decoder->prefill().logits;
  TokenIds chosen;
  const TokenIds wanted = ids_of(expected_, "greedy");
  while (chosen.size() < wanted.size()) {
    const at::Tensor best = logits.argmax(-1).to(at::kInt);
    chosen.push_back(best[1].item<std::int32_t>());
    logits = decoder->step(
        slots,
        std::vector<std::int32_t>{best[0].item<std::int32_t>(), chosen.back()});
  }
  EXPECT_EQ(chosen, wanted);
}

TEST_P(T5Logits, RaggedRowsEqualSingleRows) {
  const auto prompts = ragged_prompts();
  const auto completions = ragged_completions();
  std::vector<at::Tensor> singles;
  std::vector<at::Tensor> single_decodes;
  const std::vector<Coefficients> plain{Coefficients::frozen_reference()};
  for (std::size_t r = 0; r < prompts.size(); ++r) {
    singles.push_back(scored(*model_, pairs({prompts[r]}, {completions[r]})));
    single_decodes.push_back(decoded(
        *model_,
        decode_group({prompts[r]}, plain, {{0, 0}}),
        {completions[r]}));
  }
  const at::Tensor together = scored(*model_, pairs(prompts, completions));
  EXPECT_LE(test::distance(together, at::cat(singles)), 2e-6);
  const at::Tensor batch_decode = decoded(
      *model_,
      decode_group(prompts, plain, {{0, 0}, {1, 0}, {2, 0}, {3, 0}}),
      completions);
  EXPECT_TRUE(test::same_bits(batch_decode, at::cat(single_decodes)));
}

// Several completions of one prompt share its encoder states.
TEST_P(T5Logits, CompletionsOfOnePromptEqualSingleRows) {
  const auto prompts = ragged_prompts();
  const auto completions = ragged_completions();
  ScoreBatch batch;
  batch.prompts = {prompts[2], prompts[1]};
  batch.completions = completions;
  batch.prompt_of_row = {1, 0, 1, 0};
  std::vector<at::Tensor> singles;
  for (std::size_t r = 0; r < completions.size(); ++r) {
    const auto p = static_cast<std::size_t>(batch.prompt_of_row[r]);
    singles.push_back(
        scored(*model_, pairs({batch.prompts[p]}, {completions[r]})));
  }
  EXPECT_LE(test::distance(scored(*model_, batch), at::cat(singles)), 2e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    T5Logits,
    testing::Values("t5_v10", "t5_v11", "t5_silu"),
    [](const auto& shape) { return std::string(shape.param); });

TEST(RelativeBuckets, EqualTransformers) {
  std::ifstream file(kReference / "t5_buckets.json");
  const auto rows = nlohmann::json::parse(file);
  ASSERT_EQ(rows.size(), 10U);
  for (const auto& row : rows) {
    const RelativeBuckets rules{
        row["count"], row["max_distance"], row["both_ways"]};
    const at::Tensor found = relative_buckets(-1200, 2401, rules);
    auto changes = nlohmann::json::array();
    for (std::int64_t i = 0; i < found.numel(); ++i) {
      const auto* bucket = found.const_data_ptr<std::int64_t>();
      if (i == 0 || bucket[i] != bucket[i - 1]) {
        changes.push_back({i - 1200, bucket[i]});
      }
    }
    EXPECT_EQ(changes, row["changes"]) << row["count"];
  }
}

// t5_v10 with one key of config.json changed.
class T5Refusals : public testing::Test {
 protected:
  T5Refusals() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::path(testing::TempDir()) / (std::string("t5_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::copy(source_ / "model.safetensors", folder_);
    std::ifstream file(source_ / "config.json");
    config_ = nlohmann::json::parse(file);
  }
  ~T5Refusals() override { fs::remove_all(folder_); }

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

  fs::path source_ = kReference / "t5_v10";
  fs::path folder_;
  nlohmann::json config_;
};

TEST_F(T5Refusals, NothingChangedIsLoaded) {
  EXPECT_EQ(refusal(nlohmann::json::object()), "loaded");
}

TEST_F(T5Refusals, OtherComputationsAreNamed) {
  expect_words({{"model_type", "mt5"}}, {"config.json", "mt5", "t5"});
  expect_words({{"dense_act_fn", "tanh"}}, {"tanh", "gelu_new", "silu"});
  expect_words(
      {{"feed_forward_proj", "gelu"}, {"dense_act_fn", nullptr}},
      {"'gelu'", "gelu_new"});
}

TEST_F(T5Refusals, ImpossibleShapesAreNamed) {
  expect_words({{"num_layers", 0}}, {"num_layers", "0"});
  expect_words({{"d_model", "wide"}}, {"d_model", "whole number"});
  expect_words(
      {{"relative_attention_num_buckets", 7}},
      {"relative_attention_num_buckets", "7", "even"});
  expect_words(
      {{"relative_attention_max_distance", 4}},
      {"relative_attention_max_distance", "4"});
  expect_words({{"layer_norm_epsilon", -1}}, {"layer_norm_epsilon", "-1"});
  expect_words(
      {{"decoder_start_token_id", 48}}, {"decoder_start_token_id", "48"});
  expect_words({{"eos_token_id", {1, -2}}}, {"eos_token_id", "-2"});
}

TEST_F(T5Refusals, MissingAndMisshapenTensorsAreNamed) {
  expect_words({{"num_decoder_layers", 3}}, {"decoder.block.2.", "is missing"});
  expect_words({{"d_ff", 20}}, {"wi.weight", "[18, 16]", "[20, 16]"});
  expect_words({{"tie_word_embeddings", false}}, {"lm_head", "is missing"});
  expect_words({{"vocab_size", 50}}, {"shared.weight", "[48, 16]"});
}

TEST_F(T5Refusals, EmbeddingTablesThatDifferAreNamed) {
  // The last table of the file, one bit flipped.
  const SafetensorsFile file(source_ / "model.safetensors");
  const auto view = file.find("encoder.embed_tokens.weight").value();
  std::ifstream whole(source_ / "model.safetensors", std::ios::binary);
  std::string bytes(
      (std::istreambuf_iterator<char>(whole)),
      std::istreambuf_iterator<char>());
  const std::string table(
      reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size());
  std::size_t at = bytes.find(table);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 5] = static_cast<char>(bytes[at + 5] ^ 1);
  std::ofstream(folder_ / "model.safetensors", std::ios::binary) << bytes;
  expect_words(nlohmann::json::object(), {"embed_tokens.weight", "differ"});
}

TEST(T5Tokens, WhatTheModelCannotReadIsRefused) {
  const auto model = load(kReference / "t5_v10");
  EXPECT_THROW(scored(*model, pairs({{48, 1}}, {{2}})), CallerError);
  EXPECT_THROW(scored(*model, pairs({{4, 1}}, {{-2}})), CallerError);
  EXPECT_THROW(scored(*model, pairs({{}}, {{2}})), CallerError);
  EXPECT_THROW(scored(*model, pairs({{2}}, {{}})), CallerError);
  for (const TokenIds& prompt : {TokenIds{}, TokenIds{48}}) {
    const auto batch =
        decode_group({prompt}, {Coefficients::frozen_reference()}, {{0, 0}});
    EXPECT_THROW(model->open_decoder({})->admit(batch), CallerError);
  }
}

TEST(T5Shape, LogitsEqualTransformers) {
  const char* folder = std::getenv("MOFT_T5_DIR");
  if (folder == nullptr) {
    GTEST_SKIP() << "set MOFT_T5_DIR to a folder made by make_t5.py --shape";
  }
  const SafetensorsFile expected(fs::path(folder) / "expected.safetensors");
  const auto model = load(folder);
  const TokenIds prompt = ids_of(expected, "prompt");
  const TokenIds completion = ids_of(expected, "completion");
  expect_logits(scored(*model, pairs({prompt}, {completion})), expected);
  const auto batch =
      decode_group({prompt}, {Coefficients::frozen_reference()}, {{0, 0}});
  expect_logits(decoded(*model, batch, {completion}), expected);
}

}  // namespace
}  // namespace moft
