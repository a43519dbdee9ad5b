// `moft plan`: its numbers by hand, its JSON, and what it refuses.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

const std::string kRecipe =
    "name: small\n"
    "output: run\n"
    "device: cpu\n"
    "threads: 1\n"
    "policy: {model: base}\n"
    "data: {train: train.jsonl, evaluation: held.jsonl, prompt_template: "
    "\"{post}.\", max_prompt_tokens: 20}\n"
    "objectives:\n"
    "  short: {length: {full_at: 5, zero_at: 20}}\n"
    "  polite: {regex: {pattern: please}}\n"
    "training: {steps: 2, max_new_tokens: 8, prompts_per_step: 4}\n";

// 2 layers, width 16, 2 heads of 8 on 1 for keys, 24 wide inside, 29 tokens.
const std::string kConfig =
    R"({"model_type": "llama", "vocab_size": 29, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "tie_word_embeddings": false,
        "eos_token_id": 28})";
constexpr std::int64_t kModel =
    2 * (16 * 29) + 2 * (2 * 16 * (16 + 8) + 3 * 16 * 24 + 2 * 16) + 16;
// Rank 8, 2 layers; sides 32 of q and o, 24 of k and v, 40 of three.
constexpr std::int64_t kAdapter = 8 * 2 * (2 * 32 + 2 * 24 + 3 * 40);

class Plan : public testing::Test {
 protected:
  Plan() {
    folder_.write("r.yaml", kRecipe);
    std::filesystem::create_directories(folder_.path() / "shapes");
    folder_.write("shapes/config.json", kConfig);
    std::filesystem::create_directories(folder_.path() / "empty");
  }

  ProgramResult plan(const Words& more) const {
    Words words = {"plan", "r.yaml"};
    words.insert(words.end(), more.begin(), more.end());
    return run_moft(words, folder_.path());
  }

  json json_of(Words more) const {
    more.emplace_back("--json");
    const ProgramResult result = plan(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  }

  void refused(const Words& more, const std::string& part) const {
    const ProgramResult result = plan(more);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  }

  TemporaryFolder folder_;
};

TEST_F(Plan, OfAConfigurationAloneHasMemoryAndNoTime) {
  const json found = json_of({"policy.model=shapes"});
  EXPECT_EQ(found["format_version"], 1);
  EXPECT_EQ(found["device"], "here");
  EXPECT_EQ(found["parameters"]["model"], kModel);
  EXPECT_EQ(found["parameters"]["steered"], kAdapter);
  EXPECT_EQ(found["parameters"]["trained"], 2 * kAdapter);
  EXPECT_EQ(found["memory"]["optimizer"], 8 * 2 * kAdapter);
  EXPECT_EQ(found["sharding"]["case"], "one_rank");
  EXPECT_EQ(found["sent_bytes_per_rank"], 0);
  EXPECT_TRUE(found["step"].is_null());
  ASSERT_EQ(found["notes"].size(), 1);
  const ProgramResult text = plan({"policy.model=shapes"});
  EXPECT_NE(text.out.find("no step was measured"), std::string::npos);
}

TEST_F(Plan, OfADeviceSaysThatItsRatesAreAssumed) {
  const Words words = {
      "policy.model=shapes", "--device", "h100-80g", "--mean-length", "4"};
  const json found = json_of(words);
  EXPECT_EQ(found["device"], "h100-80g");
  EXPECT_EQ(found["step"]["rates_are"], "assumed");
  EXPECT_EQ(found["step"]["mean_length"], 4.0);
  EXPECT_EQ(found["step"]["prompt_tokens"], 20.0);
  const json& seconds = found["step"]["seconds"];
  double total = 0.0;
  for (const char* part :
       {"rollout", "rewards", "reference", "policy", "optimizer"})
    total += seconds[part].get<double>();
  EXPECT_NEAR(seconds["total"].get<double>(), total, 1e-12);
  // One form of the weights there.
  EXPECT_EQ(found["memory"]["weights"], 4 * kModel);
  // Six operations for each parameter but the embeddings and norms, and the
  // table once as the head, at 40% of 67 TFLOP/s: a forward pass is a third.
  const double body = kModel - 2 * 16 * 29;
  EXPECT_NEAR(
      found["step"]["rates"]["reference"]["seconds_per_new_token"]
          .get<double>(),
      2.0 * (body + 16 * 29) / (0.4 * 67e12),
      1e-18);
  const ProgramResult text = plan(words);
  EXPECT_NE(text.out.find("rates assumed, not measured"), std::string::npos);
}

TEST_F(Plan, RanksSendByTheFormulaAndShardByTheCase) {
  json found = json_of({"policy.model=shapes", "--ranks", "4"});
  EXPECT_EQ(found["ranks"], 4);
  // Slices out, sums out, and masters of the optimizer's shards.
  EXPECT_EQ(found["sent_bytes_per_rank"], (2 + 1) * 4 * (2 * kAdapter) * 3 / 4);
  EXPECT_EQ(found["sharding"]["case"], "adapters");
  const Words full = {
      "policy.model=shapes", "conditioning.steered_set=full", "--ranks", "4"};
  found = json_of(full);
  EXPECT_EQ(found["sharding"]["case"], "several_steerings");
  Words batch = full;
  batch.emplace_back("training.weighting_per=batch");
  const json prompts = found;
  found = json_of(batch);
  EXPECT_EQ(found["sharding"]["case"], "one_steering");
  EXPECT_TRUE(found["sharding"]["copies"]);
  // Three quarters of two copies are with the others.
  EXPECT_EQ(
      prompts["memory"]["copies"].get<std::int64_t>() -
          found["memory"]["copies"].get<std::int64_t>(),
      4 * 2 * kModel * 3 / 4);
  // The gradient of one mixture, its sum, and the next mixture.
  EXPECT_EQ(found["sent_bytes_per_rank"], (2 + 1) * 4 * kModel * 3 / 4);
  batch.emplace_back("training.optimizer.kind=adafactor");
  found = json_of(batch);
  EXPECT_EQ(found["sharding"]["case"], "adafactor");
  EXPECT_FALSE(found["sharding"]["copies"]);
}

TEST_F(Plan, RefusesWhatItCannotPlan) {
  refused(
      {"policy.model=shapes", "--device", "tpu"},
      "a100-40g, a100-80g, h100-80g, h200-141g, l4-24g");
  refused({"policy.model=shapes", "--ranks", "0"}, "--ranks");
  refused(
      {"policy.model=shapes", "--ranks", "3"},
      "training.prompts_per_step is 4, but 3 ranks cut");
  refused({"policy.model=empty"}, "holds no config.json");
  refused({"policy.model=shapes", "--mean-length", "9"}, "--mean-length is 9");
  refused({"policy.model=nowhere"}, "nowhere");
}

// The peak is the one that `recipe check` and `train` see, and a step is
// measured.
TEST_F(Plan, HereMeasuresAndAgreesWithTheCheck) {
  write_tiny_model(folder_.path() / "base");
  folder_.write(
      "train.jsonl",
      "{\"post\": \"abc\"}\n{\"post\": \"de\"}\n{\"post\": \"f\"}\n"
      "{\"post\": \"gh\"}\n");
  folder_.write("held.jsonl", "{\"post\": \"e\"}\n");
  const json found = json_of({"--seconds", "1"});
  EXPECT_EQ(found["step"]["rates_are"], "measured");
  EXPECT_GT(found["step"]["seconds"]["total"].get<double>(), 0.0);
  EXPECT_GT(found["step"]["mean_length"].get<double>(), 0.0);
  EXPECT_LE(found["step"]["mean_length"].get<double>(), 8.0);
  EXPECT_EQ(found["parameters"]["model"], kModel);
  const auto peak = found["memory"]["peak"].get<std::int64_t>();
  const ProgramResult check =
      run_moft({"recipe", "check", "r.yaml"}, folder_.path());
  char text[64];
  std::snprintf(
      text,
      sizeof text,
      "about %.1f MB at the peak",
      std::ceil(static_cast<double>(peak) / 1e5) / 10.0);
  EXPECT_NE(check.out.find(text), std::string::npos) << check.out << text;
  // Nothing was written.
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "run"));
}

}  // namespace
}  // namespace moft::test
