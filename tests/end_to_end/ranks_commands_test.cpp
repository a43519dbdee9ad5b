// The commands beside `moft train` as several processes: they write and print
// what one process does.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support_ranks.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSft = R"(name: sft
output: run
device: cpu
threads: 1
model: {path: base}
data:
  train: words.jsonl
  evaluation: words.jsonl
  prompt_template: "{word} is "
  completion_template: "{answer}"
sft:
  steps: 4
  pairs_per_step: 4
  optimizer: {learning_rate: 0.01}
  evaluation: {every: 2}
)";

constexpr const char* kDpo = R"(name: dpo
output: run
device: cpu
threads: 1
policy: {model: base}
data: {train: pairs.jsonl, evaluation: pairs.jsonl}
objectives:
  safe: {better: safer}
  short: {scores: lengths}
conditioning: {steered_set: full}
dpo:
  steps: 4
  pairs_per_step: 2
  kl_strength: 0.2
  optimizer: {learning_rate: 0.01}
  evaluation: {every: 2}
)";

constexpr const char* kReward = R"(name: reward
output: run
device: cpu
threads: 1
model: {path: nli}
data:
  train: words.jsonl
  evaluation: words.jsonl
  premise: "{word}"
  hypothesis: "{answer}"
reward:
  kind: classification
  steps: 4
  rows_per_step: 4
  optimizer: {learning_rate: 0.001}
  evaluation: {every: 2}
  early_stopping: 3
)";

class CommandsOverRanks : public testing::Test {
 protected:
  CommandsOverRanks() {
    write_tiny_task(folder());
    fs::copy(
        fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers/bert",
        folder() / "nli");
    std::string words;
    std::string pairs;
    const char* texts[] = {"a", "bb", "cab", "abba", "b", "banana", "c"};
    for (std::size_t i = 0; i < std::size(texts); ++i) {
      words += nlohmann::json({{"word", texts[i]},
                               {"answer", texts[(i + 3) % std::size(texts)]},
                               {"label", i % 2 ? "neutral" : "entailment"}})
                   .dump() +
               "\n";
      pairs += nlohmann::json({{"prompt", "x is "},
                               {"chosen", texts[i]},
                               {"rejected", texts[(i + 2) % std::size(texts)]},
                               {"safer", i % 2},
                               {"lengths", {0.5, 0.1 * i}}})
                   .dump() +
               "\n";
    }
    write_tiny_text(folder() / "words.jsonl", words);
    write_tiny_text(folder() / "pairs.jsonl", pairs);
  }

  const fs::path& folder() const { return scratch_.path(); }

  // Runs the recipe alone, then as two ranks: `product` and log are equal. So
  // they are when one process resumes what two have begun.
  void expect_same(
      const Words& command,
      const char* recipe,
      const std::string& section,
      const std::string& product) const {
    write_tiny_text(folder() / "own.yaml", recipe);
    const Words own = with(command, {"own.yaml"});
    run_alone(
        folder(),
        with(own, {section + ".gradient_accumulation=2", "--output", "alone"}));
    Ranks ranks(folder(), own, 2);
    ranks.expect_code(0);
    const std::string alone = read_all(folder() / "alone" / product);
    EXPECT_FALSE(alone.empty());
    EXPECT_EQ(alone, read_all(folder() / "run" / product));
    EXPECT_EQ(
        metrics_without_times(folder() / "alone"),
        metrics_without_times(folder() / "run"));
    EXPECT_EQ(ranks.at(1).errors() + ranks.at(1).output(), "");
    const auto until = [&](const char* steps) {
      return with(
          own,
          {section + ".steps=" + steps,
           section + ".gradient_accumulation=2",
           "--output",
           "half",
           "--resume",
           "auto"});
    };
    Ranks(folder(), until("2"), 2).expect_code(0);
    run_alone(folder(), until("4"));
    EXPECT_EQ(alone, read_all(folder() / "half" / product));
    EXPECT_EQ(
        metrics_without_times(folder() / "alone"),
        metrics_without_times(folder() / "half"));
  }

  // What the same command prints as two ranks and alone.
  void expect_same_output(const Words& command) const {
    Ranks ranks(folder(), with(command, {}), 2);
    ranks.expect_code(0);
    const Ended alone = run_program(folder(), command);
    EXPECT_EQ(alone.code, 0) << alone.errors;
    EXPECT_FALSE(alone.output.empty());
    EXPECT_EQ(ranks.at(0).output(), alone.output);
    EXPECT_EQ(ranks.at(1).output(), "");
  }

  Scratch scratch_;
};

TEST_F(CommandsOverRanks, SftWritesTheModelOfOne) {
  expect_same({"sft"}, kSft, "sft", "model/model.safetensors");
}

TEST_F(CommandsOverRanks, DpoWritesThePolicyOfOne) {
  expect_same({"dpo"}, kDpo, "dpo", "policy/steering.safetensors");
}

TEST_F(CommandsOverRanks, RewardTrainWritesTheModelOfOne) {
  expect_same(
      {"reward", "train"}, kReward, "reward", "model/model.safetensors");
}

TEST_F(CommandsOverRanks, EvaluateAndCalibratePrintWhatOneDoes) {
  std::string held_out;
  for (int i = 0; i < 20; ++i)  // three slices of prompts
    held_out += nlohmann::json({{"word", std::to_string(i)}}).dump() + "\n";
  write_tiny_text(folder() / "heldout.jsonl", held_out);
  run_alone(folder(), {"train", "recipe.yaml", "training.steps=2"});
  expect_same_output({"evaluate", "run", "--samples", "2"});
  expect_same_output({"calibrate", "recipe.yaml", "--samples", "5"});
  // Less work than ranks.
  expect_same_output({"evaluate", "run", "--prompts", "2"});
  expect_same_output(
      {"calibrate", "recipe.yaml", "--prompts", "1", "--samples", "3"});
}

// What a rank cannot do alone ends all of them at once, with its words.
TEST_F(CommandsOverRanks, AnErrorOfOneRankIsEveryRanks) {
  write_tiny_text(
      folder() / "rewards.py",
      "import os\n"
      "def tidy(completions, **kwargs):\n"
      "    if os.environ.get('RANK') == '1':\n"
      "        raise ValueError('no such scale')\n"
      "    return [0.0 if 'a' in c else 1.0 for c in completions]\n");
  const Words train = {
      "train",
      "recipe.yaml",
      "objectives.c={python: {file: rewards.py, function: tidy}}",
      "training.steps=2",
      "distributed.timeout=4000"};
  run_alone(folder(), train);
  // The second leaves no policy to evaluate.
  for (const Words& command :
       {Words{"evaluate", "run"}, with(train, {"--overwrite"})}) {
    SCOPED_TRACE(command.front());
    Ranks ranks(folder(), command, 2);
    ranks.expect_code(1);
    EXPECT_TRUE(has(ranks.at(0).errors(), "rank 1: ")) << ranks.at(0).errors();
    EXPECT_TRUE(has(ranks.at(0).errors(), "no such scale"))
        << ranks.at(0).errors();
  }
}

// Each rank starts the program of its own rows' rewards, or rank 0 alone.
TEST_F(CommandsOverRanks, RewardsFromOutsideAreAskedForAsTheRecipeSays) {
  write_tiny_text(
      folder() / "rewards.py",
      "with open('starts', 'a') as file:\n"
      "    file.write('started\\n')\n"
      "def tidy(completions, **kwargs):\n"
      "    return [0.0 if 'a' in c else 1.0 for c in completions]\n");
  for (const auto& [setting, starts] :
       {std::pair("asked_by: each_rank", 2U),
        std::pair("asked_by: first_rank", 1U),
        std::pair("unit: step", 1U)}) {
    SCOPED_TRACE(setting);
    fs::remove(folder() / "starts");
    const std::string objective =
        std::string(
            "objectives.c={python: {file: rewards.py, function: tidy, ") +
        setting + "}}";
    Ranks ranks(
        folder(),
        {"train",
         "recipe.yaml",
         objective,
         "training.steps=2",
         "distributed.timeout=4000",
         "--output",
         "outside",
         "--overwrite"},
        2);
    ranks.expect_code(0);
    EXPECT_EQ(count_lines(folder() / "starts"), starts);
  }
}

TEST_F(CommandsOverRanks, OtherPromptsAreRefused) {
  run_alone(folder(), {"train", "recipe.yaml", "training.steps=2"});
  const int port = free_port();
  const auto start = [&](int rank, const Words& more) {
    return std::make_unique<Program>(
        folder(),
        with({"calibrate", "recipe.yaml"}, more),
        std::nullopt,
        variables_of(rank, 2, port));
  };
  const auto first = start(0, {});
  const auto second = start(1, {"--samples", "3"});
  EXPECT_EQ(second->exit_code(), 2);
  EXPECT_EQ(first->exit_code(), 2);
  EXPECT_TRUE(has(second->errors(), "rank 1: recipe")) << second->errors();
}

}  // namespace
}  // namespace moft::test
