// `moft sft` as a user meets it.
#include <csignal>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_t5.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecipe = R"(format_version: 1
name: tiny
output: run
device: cpu
threads: 1
model:
  random:
    tokenizer: tokenizer
    layers: 1
    width: 16
    heads: 2
    feed_forward: 32
data:
  train: train.jsonl
  evaluation: heldout.jsonl
  prompt_template: "{post}"
  completion_template: "{summary}"
sft:
  steps: 30
  pairs_per_step: 2
  optimizer:
    learning_rate: 0.01
  evaluation:
    every: 10
  checkpoint:
    every: 4
)";

constexpr const char* kTrainRecipe = R"(format_version: 1
name: after
output: after
device: cpu
threads: 1
policy:
  model: run/model
data:
  train: train.jsonl
  evaluation: heldout.jsonl
  prompt_template: "{post}"
objectives:
  short: {length: {full_at: 1, zero_at: 9}}
  a: {regex: {pattern: a}}
conditioning:
  steered_set: logits
training:
  steps: 2
  prompts_per_step: 2
  samples_per_prompt: 2
  max_new_tokens: 4
)";

void write_task(const fs::path& folder) {
  fs::create_directories(folder / "tokenizer");
  fs::copy_file(
      fs::path(MOFT_SOURCE_DIR) /
          "tests/reference/tokenizers/fixtures/t5/spiece.model",
      folder / "tokenizer/spiece.model");
  std::string lines;
  for (const char* word : {"one", "two", "three", "four", "five"}) {
    lines += std::string(R"({"post": ")") + word + R"( more", "summary": ")" +
             word + "\"}\n";
  }
  write_tiny_text(folder / "train.jsonl", lines);
  write_tiny_text(
      folder / "heldout.jsonl",
      R"({"post": "six more", "summary": "six"})"
      "\n");
  write_tiny_text(folder / "sft.yaml", kRecipe);
  write_tiny_text(folder / "train.yaml", kTrainRecipe);
}

Words sft(const Words& more = {}) {
  return with({"sft", "sft.yaml"}, more);
}

void expect_finished(Program& program) {
  const int code = program.exit_code();
  EXPECT_EQ(code, 0) << program.errors();
}

std::vector<nlohmann::json> metrics_of(const fs::path& run) {
  std::istringstream text(read_all(run / "metrics.jsonl"));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);) {
    nlohmann::json metrics = nlohmann::json::parse(line);
    for (const char* time :
         {"step_time", "tokens_per_second", "time/evaluation"})
      metrics.erase(time);
    lines.push_back(std::move(metrics));
  }
  return lines;
}

TEST(Sft, StoppedAndResumedEndsWithTheSameBitsAndTrainGoesOn) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_task(folder);
  Program straight(folder, sft({"--output", "straight"}));
  expect_finished(straight);

  const fs::path run = folder / "run";
  Program first(folder, sft());
  ASSERT_TRUE(first.wait_until(
      [&] { return count_lines(run / "metrics.jsonl") >= 3; }));
  first.send(SIGTERM);
  const int code = first.exit_code();
  // It may have been faster.
  ASSERT_TRUE(code == 128 + SIGTERM || code == 0) << first.errors();
  if (code != 0) {
    EXPECT_TRUE(has(first.errors(), "--resume auto")) << first.errors();
    EXPECT_FALSE(fs::exists(run / "model"));
    Program killed(folder, sft({"--resume", "auto"}));
    killed.wait_until([&] { return count_lines(run / "metrics.jsonl") >= 12; });
    killed.send(SIGKILL);
    killed.exit_code();
    Program rest(folder, sft({"--resume", "auto"}));
    expect_finished(rest);
  }
  for (const char* name :
       {"model/model.safetensors",
        "model/config.json",
        "checkpoints/step-30/optimizer.safetensors"}) {
    EXPECT_EQ(read_all(run / name), read_all(folder / "straight" / name))
        << name;
    EXPECT_FALSE(read_all(run / name).empty()) << name;
  }
  const auto metrics = metrics_of(run);
  EXPECT_EQ(metrics, metrics_of(folder / "straight"));
  ASSERT_EQ(metrics.size(), 30U);
  EXPECT_TRUE(metrics[9].contains("held_out/loss"));
  EXPECT_FALSE(metrics[10].contains("held_out/loss"));
  EXPECT_LT(
      metrics[29].at("loss").get<double>(),
      metrics[0].at("loss").get<double>());

  Program train(folder, {"train", "train.yaml"});
  expect_finished(train);
  EXPECT_TRUE(fs::exists(folder / "after/policy/moft.json"));
  Program more(
      folder,
      sft(
          {"model.random=null",
           "model.path=run/model",
           "sft.steps=1",
           "--output",
           "more"}));
  expect_finished(more);
  // It starts where the first run ended.
  EXPECT_LT(
      metrics_of(folder / "more").at(0).at("loss").get<double>(),
      metrics[4].at("loss").get<double>());
}

TEST(Sft, ARunThatWouldNotBeTheSameIsRefused) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_task(folder);
  Program first(folder, sft({"sft.steps=1"}));
  expect_finished(first);
  const auto refused = [&](const Words& more, const std::string& words) {
    Program program(folder, sft(more));
    EXPECT_EQ(program.exit_code(), 2) << words;
    EXPECT_TRUE(has(program.errors(), words)) << program.errors();
  };
  refused({}, "holds a run already");
  refused({"--resume", "auto", "sft.seed=2"}, "sft.seed");
  refused({"--resume", "auto", "model.random.layers=2"}, "model.random.layers");
  write_tiny_text(
      folder / "train.jsonl",
      R"({"post": "x", "summary": "y"})"
      "\n");
  refused({"--resume", "auto", "sft.steps=2"}, "data.train");
}

// The longest prompt and the longest completion may meet in one step.
TEST(Sft, ABudgetForLessThanAPairIsRefusedBeforeAnythingIsWritten) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_task(folder);
  std::string summary;
  for (int word = 0; word < 1000; ++word)
    summary += "one two ";
  std::ofstream(folder / "train.jsonl", std::ios::app)
      << R"({"post": "x", "summary": ")" << summary << "\"}\n";
  const auto refused = [&](const Words& command) {
    Program program(
        folder,
        with(
            command,
            {"sft.yaml",
             "sft.memory_budget=0.001",
             "data.max_completion_tokens=100000"}));
    EXPECT_EQ(program.exit_code(), 2);
    for (const char* words :
         {"sft.memory_budget is 1.0 MB, but a step needs",
          "raise sft.memory_budget, or lower data.max_prompt_tokens or "
          "data.max_completion_tokens"})
      EXPECT_TRUE(has(program.errors() + program.output(), words))
          << program.errors() << program.output();
  };
  refused({"recipe", "check"});
  refused({"sft"});
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(Sft, EachCommandRefusesTheOthersRecipes) {
  const Scratch scratch;
  write_task(scratch.path());
  Program train(scratch.path(), {"train", "sft.yaml"});
  EXPECT_EQ(train.exit_code(), 2);
  EXPECT_TRUE(has(train.errors(), "`moft sft`")) << train.errors();
  Program sft(scratch.path(), {"sft", "train.yaml"});
  EXPECT_EQ(sft.exit_code(), 2);
  EXPECT_TRUE(has(sft.errors(), "`moft train`")) << sft.errors();
  Program check(scratch.path(), {"recipe", "check", "sft.yaml"});
  EXPECT_EQ(check.exit_code(), 0) << check.errors();
  EXPECT_TRUE(check.output().starts_with("sft.yaml: good; 5 and 1 pairs\n"))
      << check.output();
  Program both(
      scratch.path(), {"recipe", "check", "sft.yaml", "model.path=tokenizer"});
  EXPECT_EQ(both.exit_code(), 2);
  EXPECT_TRUE(has(both.errors(), "exactly one")) << both.errors();
}

}  // namespace
}  // namespace moft::test
