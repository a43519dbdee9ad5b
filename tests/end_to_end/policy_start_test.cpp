// `policy.start`: training that starts from a trained policy, and trained
// policies where a model is wanted, on the real program.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

class PolicyStart : public testing::Test {
 protected:
  // A run of six steps in "run".
  PolicyStart() {
    write_tiny_task(folder());
    const Ended first = moft({"train", "recipe.yaml", "training.steps=6"});
    EXPECT_EQ(first.code, 0) << first.errors;
  }

  const fs::path& folder() const { return scratch_.path(); }

  Ended moft(const Words& words) const { return run_program(folder(), words); }
  // Three more steps, into `output`.
  Ended go_on(const std::string& output, const Words& more = {}) const {
    return moft(with(
        {"train",
         "recipe.yaml",
         "policy.start=run",
         "training.steps=3",
         "--output",
         output},
        more));
  }
  nlohmann::json first_step(const std::string& run) const {
    std::ifstream lines(folder() / run / "metrics.jsonl");
    std::string line;
    std::getline(lines, line);
    return nlohmann::json::parse(line);
  }

  Scratch scratch_;
};

// The copies are the trained ones, and the reference is the base.
TEST_F(PolicyStart, TheFirstStepHasTheTrueKl) {
  const Ended next = go_on("next");
  ASSERT_EQ(next.code, 0) << next.errors;
  EXPECT_TRUE(has(next.errors, "start       the copies of a, b from "))
      << next.errors;
  EXPECT_EQ(first_step("run").at("kl"), 0.0);
  EXPECT_GT(first_step("next").at("kl").get<double>(), 0.01);
  // With no training at all the policy is the start's.
  const Ended same = go_on("same", {"training.optimizer.learning_rate=1e-300"});
  ASSERT_EQ(same.code, 0) << same.errors;
  EXPECT_EQ(
      read_all(folder() / "same/policy/steering.safetensors"),
      read_all(folder() / "run/policy/steering.safetensors"));
}

TEST_F(PolicyStart, OtherObjectivesStartAtTheReferenceOrAreLeftOut) {
  std::string recipe = read_all(folder() / "recipe.yaml");
  const std::size_t at = recipe.find("  b:\n    regex:\n      pattern: b\n");
  ASSERT_NE(at, std::string::npos);
  recipe.replace(at, 4, "  c:");
  write_tiny_text(folder() / "other.yaml", recipe);
  const Ended next = moft(
      {"train",
       "other.yaml",
       "policy.start=run/policy",
       "training.steps=2",
       "--output",
       "next"});
  ASSERT_EQ(next.code, 0) << next.errors;
  EXPECT_TRUE(has(next.errors, "c starts at the reference")) << next.errors;
  EXPECT_TRUE(has(next.errors, "b left out")) << next.errors;
}

TEST_F(PolicyStart, AnInterruptedRunResumesToTheSameBits) {
  ASSERT_EQ(go_on("straight").code, 0);
  ASSERT_EQ(go_on("grown", {"training.steps=1"}).code, 0);
  const Ended grown = go_on("grown", {"--resume", "auto"});
  ASSERT_EQ(grown.code, 0) << grown.errors;
  EXPECT_EQ(
      read_all(folder() / "grown/policy/steering.safetensors"),
      read_all(folder() / "straight/policy/steering.safetensors"));
  // Without its start, or with another, it is another run.
  const Ended without = moft(
      {"train",
       "recipe.yaml",
       "training.steps=4",
       "--output",
       "grown",
       "--resume",
       "auto"});
  EXPECT_EQ(without.code, 2);
  EXPECT_TRUE(has(without.errors, "policy.start")) << without.errors;
  const Ended other = go_on(
      "grown",
      {"policy.start=straight", "training.steps=4", "--resume", "auto"});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(has(other.errors, "policy.start is not what")) << other.errors;
}

TEST_F(PolicyStart, WhatDoesNotFitIsRefused) {
  const auto refused = [&](const Words& more, const std::string& words) {
    const Ended run = go_on("next", more);
    EXPECT_EQ(run.code, 2);
    EXPECT_TRUE(has(run.errors, words)) << run.errors;
    EXPECT_FALSE(fs::exists(folder() / "next/policy"));
  };
  refused({"conditioning.steered_set=lora"}, "conditioning.steered_set");
  refused({"policy.start=base"}, "no moft.json");
  refused({"policy.start=nowhere"}, "policy.start");
  refused({"policy.start=run/checkpoints/step-6"}, "a checkpoint of a run");
  TinyModel other;
  other.width = 32;
  other.feed_forward = 64;
  other.seed = 9;
  write_tiny_model(folder() / "other", other);
  refused({"policy.model=other"}, "other base weights");
}

TEST_F(PolicyStart, OverwritingDoesNotRemoveWhatItStartsFrom) {
  const Ended run = go_on("run", {"--overwrite"});
  EXPECT_EQ(run.code, 2);
  EXPECT_TRUE(has(run.errors, "policy.start")) << run.errors;
  EXPECT_TRUE(fs::exists(folder() / "run/policy/steering.safetensors"));
}

TEST_F(PolicyStart, ATrainedPolicyIsNoModel) {
  for (const std::string path : {"run", "run/policy"}) {
    for (const char* command : {"train", "calibrate"}) {
      const Ended run = moft({command, "recipe.yaml", "policy.model=" + path});
      EXPECT_EQ(run.code, 2);
      EXPECT_TRUE(has(run.errors, "policy.start: " + path)) << run.errors;
    }
    const Ended check =
        moft({"recipe", "check", "recipe.yaml", "policy.model=" + path});
    EXPECT_EQ(check.code, 2);
    EXPECT_TRUE(has(check.errors, "policy.start: " + path)) << check.errors;
    const Ended value =
        moft({"train", "recipe.yaml", "training.value.model=" + path});
    EXPECT_EQ(value.code, 2);
    EXPECT_TRUE(has(value.errors, "moft export " + path)) << value.errors;
  }
  write_tiny_text(folder() / "sft.yaml", R"(format_version: 1
name: s
output: sft
device: cpu
threads: 1
model: {path: run/policy}
data:
  train: train.jsonl
  evaluation: heldout.jsonl
  prompt_template: "{word} is "
  completion_template: "{word}"
sft: {steps: 1, pairs_per_step: 2}
)");
  const Ended checkpoint =
      moft({"train", "recipe.yaml", "policy.model=run/checkpoints/step-6"});
  EXPECT_EQ(checkpoint.code, 2);
  EXPECT_TRUE(has(checkpoint.errors, "a checkpoint of a run"))
      << checkpoint.errors;
  const Ended sft = moft({"sft", "sft.yaml"});
  EXPECT_EQ(sft.code, 2);
  EXPECT_TRUE(has(sft.errors, "moft export run/policy --weights"))
      << sft.errors;
}

// Another file: the error says how to start from the trained weights.
TEST_F(PolicyStart, ARefusedResumeNamesIt) {
  std::ofstream(folder() / "train.jsonl", std::ios::app)
      << "{\"word\": \"seven\"}\n";
  const Ended run =
      moft({"train", "recipe.yaml", "training.steps=8", "--resume", "auto"});
  EXPECT_EQ(run.code, 2);
  EXPECT_TRUE(has(run.errors, "policy.start: ")) << run.errors;
}

// A file that is like a conditioned policy's in all but its kind.
TEST_F(PolicyStart, AnotherKindOfPolicyIsRefusedByItsName) {
  const fs::path file = folder() / "run/policy/moft.json";
  auto json = nlohmann::json::parse(read_all(file));
  json["kind"] = "coin";
  write_tiny_text(file, json.dump());
  const Ended next = go_on("next");
  EXPECT_EQ(next.code, 2);
  EXPECT_TRUE(has(next.errors, "run/policy/moft.json: kind is \"coin\""))
      << next.errors;
}

}  // namespace
}  // namespace moft::test
