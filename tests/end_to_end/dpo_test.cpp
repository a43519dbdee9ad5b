// `moft dpo` as a user meets it: a policy from pairs, a run that is stopped and
// resumed, what is refused, and the script that makes pairs of public sets.
#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kRecipe =
    "name: pairs\n"
    "output: run\n"
    "device: cpu\n"
    "threads: 1\n"
    "policy: {model: base}\n"
    "data: {train: pairs.jsonl, evaluation: heldout.jsonl}\n"
    "objectives:\n"
    "  helpful: {range: [0, 4]}\n"
    "  safe: {better: safer}\n"
    "conditioning: {steered_set: full}\n"
    "dpo:\n"
    "  steps: 12\n"
    "  pairs_per_step: 2\n"
    "  kl_strength: 0.2\n"
    "  optimizer: {learning_rate: 0.01}\n"
    "  checkpoint: {every: 3}\n";

std::vector<Json> pairs() {
  return {
      {{"prompt", "one is "},
       {"chosen", "a b"},
       {"rejected", "c"},
       {"scores", {{"helpful", {4, 1}}}},
       {"safer", 1}},
      {{"prompt", "two is "},
       {"chosen", "b"},
       {"rejected", "a a"},
       {"scores", {{"helpful", {0, 3}}}},
       {"safer", "chosen"}},
      {{"prompt", "three is "},
       {"chosen", "cab"},
       {"rejected", "b"},
       {"scores", {{"helpful", {2, 2}}}},
       {"safer", nullptr}}};
}

std::string lines_of(const std::vector<Json>& rows) {
  std::string lines;
  for (const Json& row : rows)
    lines += row.dump() + "\n";
  return lines;
}

class Dpo : public testing::Test {
 protected:
  Dpo() {
    write_tiny_model(folder() / "base");
    write("pairs.jsonl", lines_of(pairs()));
    write("heldout.jsonl", lines_of({pairs()[0]}));
    write("recipe.yaml", kRecipe);
  }
  const fs::path& folder() const { return scratch_.path(); }
  void write(const std::string& name, const std::string& text) const {
    write_tiny_text(folder() / name, text);
  }
  Ended train(const Words& more = {}) const {
    return run_program(folder(), with({"dpo", "recipe.yaml"}, more));
  }
  std::string problem(const Words& more = {}) const {
    const Ended run = train(more);
    EXPECT_EQ(run.code, 2) << run.errors;
    return run.errors;
  }

  Scratch scratch_;
};

TEST_F(Dpo, PairsBecomeASteerablePolicy) {
  const Ended check = run_program(folder(), {"recipe", "check", "recipe.yaml"});
  EXPECT_EQ(check.code, 0) << check.output << check.errors;
  const Ended run = train();
  ASSERT_EQ(run.code, 0) << run.errors;
  const std::string metrics = read_all(folder() / "run/metrics.jsonl");
  for (const char* name :
       {"\"loss\"",
        "rewards/chosen",
        "rewards/margins",
        "rewards/accuracies",
        "logps/rejected",
        "held_out/loss"})
    EXPECT_TRUE(has(metrics, name)) << name;
  EXPECT_TRUE(has(run.output, (folder() / "run/policy").string()));
  const Ended generated = run_program(
      folder(),
      {"generate",
       "run/policy",
       "--weights",
       "helpful=1,safe=0",
       "--prompt",
       "one is ",
       "--max-new-tokens",
       "3"});
  EXPECT_EQ(generated.code, 0) << generated.errors;
}

TEST_F(Dpo, StoppedAndResumedEndsWithTheSameBits) {
  ASSERT_EQ(train({"--output", "straight"}).code, 0);
  Program first(folder(), {"dpo", "recipe.yaml", "dpo.steps=400"});
  const fs::path run = folder() / "run";
  ASSERT_TRUE(first.wait_until(
      [&] { return count_lines(run / "metrics.jsonl") >= 5; }));
  first.send(SIGKILL);
  first.exit_code();
  const Ended rest = train({"dpo.steps=400", "--resume", "auto"});
  EXPECT_EQ(rest.code, 0) << rest.errors;
  ASSERT_EQ(train({"dpo.steps=400", "--output", "long"}).code, 0);
  const char* name = "policy/steering.safetensors";
  EXPECT_EQ(read_all(run / name), read_all(folder() / "long" / name));
  EXPECT_NE(read_all(run / name), read_all(folder() / "straight" / name));
}

TEST_F(Dpo, WhatIsWrongIsNamed) {
  auto rows = pairs();
  rows[1]["safer"] = "both";
  write("pairs.jsonl", lines_of(rows));
  EXPECT_TRUE(has(problem(), "pairs.jsonl:2"));
  EXPECT_TRUE(has(problem(), "safe"));
  write("pairs.jsonl", lines_of(pairs()));
  EXPECT_TRUE(has(problem({"dpo.kl_strength=0"}), "dpo.kl_strength"));
  EXPECT_TRUE(has(problem({"dpo.beta=0.1"}), "dpo.kl_strength"));
  EXPECT_TRUE(
      has(problem({"objectives.safe.scores=scores.helpful"}),
          "objectives.safe.scores"));
  EXPECT_TRUE(has(
      problem({"data.max_completion_tokens=1"}), "data.max_completion_tokens"));
}

TEST_F(Dpo, MakePairsBringsPublicSetsToItsRows) {
  const fs::path script = fs::path(MOFT_SOURCE_DIR) / "examples/make_pairs.py";
  const auto make = [&](const std::string& format, const std::string& rows) {
    write("rows.jsonl", rows);
    const std::string command = "'" + script.string() + "' " + format + " '" +
                                (folder() / "rows.jsonl").string() + "' > '" +
                                (folder() / "made.jsonl").string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_all(folder() / "made.jsonl");
  };
  const Json row = {
      {"prompt", "p"},
      {"response", "one"},
      {"helpfulness", 4},
      {"correctness", 3},
      {"coherence", 2},
      {"complexity", 1},
      {"verbosity", 0}};
  Json other = row;
  other["response"] = "two";
  other["helpfulness"] = 1;
  const Json pair = Json::parse(make("helpsteer2", lines_of({row, other})));
  EXPECT_EQ(pair["chosen"], "one");
  EXPECT_EQ(pair["rejected"], "two");
  EXPECT_EQ(pair["scores"]["helpfulness"], Json({4, 1}));
  const auto rated = [](const char* text, const char* rating) {
    Json annotations;
    for (const char* name :
         {"helpfulness", "honesty", "instruction_following", "truthfulness"})
      annotations[name] = {{"Rating", rating}};
    return Json{{"response", text}, {"annotations", annotations}};
  };
  const Json ultra = {
      {"instruction", "p"},
      {"completions", {rated("a", "5"), rated("b", "N/A"), rated("c", "2")}}};
  const Json made = Json::parse(make("ultrafeedback", lines_of({ultra})));
  EXPECT_EQ(made["rejected"], "c");
  EXPECT_EQ(made["scores"]["honesty"], Json({5.0, 2.0}));
}

}  // namespace
}  // namespace moft::test
