// `moft score` and `moft generate` as their user meets them: what they must be
// told, and that nothing is scored that was not asked for.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

class ScoreCommand : public testing::Test {
 protected:
  // A policy of one step, and a pair to score.
  void SetUp() override {
    write_tiny_task(scratch_.path());
    write_tiny_text(
        scratch_.path() / "pairs.jsonl",
        R"({"prompt": "one is ", "completion": "a b"})");
    const Ended trained = run({"train", "recipe.yaml", "training.steps=1"});
    ASSERT_EQ(trained.code, 0) << trained.errors;
    const auto moft = nlohmann::json::parse(
        read_all(scratch_.path() / "run/policy/moft.json"));
    for (const auto& objective : moft.at("objectives")) {
      if (!weights_.empty()) weights_ += ",";
      weights_ += objective.at("name").get<std::string>() +
                  (weights_.empty() ? "=1" : "=0");
    }
  }

  Ended run(const Words& words) const {
    return run_program(scratch_.path(), words);
  }
  Ended score(const std::string& model, const Words& more) const {
    return run(with({"score", model, "--input", "pairs.jsonl"}, more));
  }
  static void expect_refusal(const Ended& said, const Words& parts) {
    EXPECT_EQ(said.code, 2);
    EXPECT_EQ(said.output, "");
    for (const std::string& part : parts)
      EXPECT_NE(said.errors.find(part), std::string::npos)
          << "no \"" << part << "\" in: " << said.errors;
  }

  Scratch scratch_;
  std::string weights_;
};

TEST_F(ScoreCommand, ASteerablePolicyIsToldAWeightingOrReference) {
  expect_refusal(
      score("run", {}), {"--weights is missing", "or --reference for the"});
  const Ended steered = score("run", {"--weights", weights_});
  EXPECT_EQ(steered.code, 0) << steered.errors;
  // The reference is the base, number for number.
  const Ended reference = score("run", {"--reference"});
  EXPECT_EQ(reference.code, 0) << reference.errors;
  const Ended base = score("base", {});
  EXPECT_EQ(base.code, 0) << base.errors;
  EXPECT_EQ(reference.output, base.output);
  EXPECT_NE(reference.output, steered.output);
  const auto both = nlohmann::json::parse(
      score("run", {"--weights", weights_, "--with-reference"}).output);
  const auto alone = nlohmann::json::parse(reference.output);
  EXPECT_EQ(both.at("reference_log_prob"), alone.at("log_prob"));
}

TEST_F(ScoreCommand, WhatExcludesEachOtherIsRefused) {
  expect_refusal(
      score("run", {"--reference", "--weights", weights_}),
      {"--reference and --weights exclude each other"});
  expect_refusal(
      score("run", {"--reference", "--alpha", "0.5"}),
      {"--reference and --alpha exclude each other"});
  expect_refusal(
      score("base", {"--reference"}), {"--reference", "plain model"});
  expect_refusal(
      score("base", {"--weights", weights_}), {"--weights", "plain model"});
}

TEST_F(ScoreCommand, GenerateNamesWhatItNeeds) {
  const Ended told = run({"generate", "run", "--prompt", "one"});
  expect_refusal(told, {"--weights is missing"});
  EXPECT_EQ(told.errors.find("--reference"), std::string::npos);
  expect_refusal(
      run({"generate", "base", "--prompt", ""}),
      {"--prompt: the prompt is empty"});
  expect_refusal(run({"generate", "base"}), {"--prompt TEXT"});
  write_tiny_text(
      scratch_.path() / "empty.jsonl",
      "{\"prompt\": \"a\"}\n{\"prompt\": \"\"}\n");
  expect_refusal(
      run(
          {"generate",
           "base",
           "--input",
           "empty.jsonl",
           "--max-new-tokens",
           "4"}),
      {"empty.jsonl:2: the prompt is empty"});
}

// Chat markup in a plain model's prompt is markup, from either source.
TEST_F(ScoreCommand, MarkupOfAPlainModelsPromptCounts) {
  write_tiny_text(scratch_.path() / "in.jsonl", "{\"prompt\": \"a<end>b\"}\n");
  const Words how = {"--greedy", "--max-new-tokens", "6"};
  Words prompt = {"generate", "base", "--prompt", "a<end>b"};
  prompt.insert(prompt.end(), how.begin(), how.end());
  Words input = {"generate", "base", "--input", "in.jsonl"};
  input.insert(input.end(), how.begin(), how.end());
  const Ended one = run(prompt);
  const auto line = nlohmann::json::parse(run(input).output);
  EXPECT_EQ(one.output, line.at("completion").get<std::string>() + "\n");
  // The same numbers as `moft score`, which always read it so.
  write_tiny_text(
      scratch_.path() / "pairs.jsonl",
      nlohmann::json{
          {"prompt", "a<end>b"}, {"completion", line.at("completion")}}
          .dump());
  const auto scored = nlohmann::json::parse(score("base", {}).output);
  double sum = 0;
  for (const auto& value : scored.at("token_log_probs"))
    sum += value.get<double>();
  if (!line.at("finished").get<bool>()) {
    EXPECT_NEAR(sum, line.at("log_prob").get<double>(), 1e-4);
  }
}

// A checkpoint from before the words went to the first field does not say where
// they are: the other half of its training would see other prompts.
TEST_F(ScoreCommand, CheckpointsWithTheirWordsInFrontAreNotResumed) {
  const auto train = [&](const char* steps, const Words& more) {
    Words words = {
        "train",
        "recipe.yaml",
        "output=prompted",
        "conditioning.prompt={repetitions: 1}",
        steps};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const Ended first = train("training.steps=1", {});
  ASSERT_EQ(first.code, 0) << first.errors;
  const Ended second = train("training.steps=2", {"--resume", "auto"});
  EXPECT_EQ(second.code, 0) << second.errors;
  const auto file = scratch_.path() / "prompted/checkpoints/step-2/state.json";
  auto state = nlohmann::json::parse(read_all(file));
  state["format_version"] = 1;
  std::filesystem::remove(file);
  write_tiny_text(file, state.dump());
  expect_refusal(
      train("training.steps=3", {"--resume", "auto"}),
      {"step-2", "before the whole prompt", "train into another output"});
}

// On standard error alone, and not for a model without weightings.
TEST_F(ScoreCommand, EveryJobLogsHowItAppliesSteerings) {
  const std::string one = "steering    one steering: mixed weights\n";
  const Words generate = {"generate", "run", "--prompt", "one", "--weights"};
  const Ended answer = run(with(generate, {weights_, "--max-new-tokens", "2"}));
  ASSERT_EQ(answer.code, 0) << answer.errors;
  EXPECT_TRUE(has(answer.errors, one)) << answer.errors;
  EXPECT_FALSE(has(answer.output, "mixed weights"));
  const Ended scored = score("run", {"--weights", weights_});
  EXPECT_TRUE(has(scored.errors, one)) << scored.errors;
  EXPECT_TRUE(nlohmann::json::accept(scored.output)) << scored.output;
  const Ended swept =
      run({"sweep", "run", "--prompt", "one", "--weightings", "5", "--greedy"});
  EXPECT_TRUE(
      has(swept.errors, "steering    up to 5 steerings: wide product\n"))
      << swept.errors;
  EXPECT_EQ(score("base", {}).errors.find("steering"), std::string::npos);
}

}  // namespace
}  // namespace moft::test
