// `moft evaluate` with several baselines, on the real program: one page, each
// run's own ledger, seeds as one method.
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

class Compare : public ::testing::Test {
 protected:
  Compare() { write_tiny_task(folder()); }

  const fs::path& folder() const { return scratch_.path(); }

  void run(const Words& words) const {
    const Ended ended = run_program(folder(), words);
    ASSERT_EQ(ended.code, 0) << ended.errors;
  }

  void train(const std::string& output, const Words& more) const {
    run(with({"train", "recipe.yaml", "--output", output}, more));
  }

  std::string refusal(const Words& more) const {
    const Ended ended =
        run_program(folder(), with({"evaluate", "seed1"}, more));
    EXPECT_EQ(ended.code, 2) << ended.output;
    return ended.errors;
  }

 private:
  const Scratch scratch_;
};

TEST_F(Compare, SeedsAndASoupOnOnePageByTheirLedgers) {
  // 24 answers a step: 96 for a seed and for the soup of two runs together, 48
  // for the run that stops early.
  train("seed1", {"training.steps=4"});
  train("seed2", {"training.steps=4", "training.seed=2"});
  train("early", {"training.steps=2"});
  const auto only = [](const std::string& weights) {
    return Words{
        "training.steps=2",
        "weightings.sampler=fixed",
        "weightings.weights=" + weights};
  };
  train("only_a", only("{a: 1, b: 0}"));
  train("only_b", only("{a: 0, b: 1}"));
  run({"soup", "only_a", "only_b", "--to", "soup"});
  run(
      {"evaluate",
       "seed1",
       "--weightings",
       "3",
       "--baseline",
       "soup",
       "--baseline",
       "early",
       "--method",
       "ours=seed1,seed2",
       "--bank",
       "soup"});

  const fs::path report = folder() / "seed1/report";
  const auto json = nlohmann::json::parse(read_all(report / "report.json"));
  ASSERT_EQ(json["baselines"].size(), 3u);
  const auto& comparison = json["comparison"];
  ASSERT_EQ(comparison["methods"].size(), 3u);
  const auto& ours = comparison["methods"][0];
  EXPECT_EQ(ours["name"], "ours");
  EXPECT_EQ(ours["runs"], (std::vector<std::string>{"seed1", "seed2"}));
  EXPECT_EQ(ours["cost"]["answers"], 96.0);
  EXPECT_EQ(ours["cost"]["passes"], 1.0);
  EXPECT_GT(ours["cost"]["parameters"].get<double>(), 0);
  EXPECT_GT(ours["cost"]["seconds"].get<double>(), 0);
  EXPECT_GT(ours["cost"]["gradient_tokens"].get<double>(), 96);
  EXPECT_GT(ours["cost"]["tokens_per_second"].get<double>(), 0);
  ASSERT_EQ(comparison["pairs"].size(), 2u);
  for (const auto& pair : comparison["pairs"]) {
    const bool soup = pair["rival"] == "soup";
    EXPECT_EQ(pair["equal_ledger"], soup);
    EXPECT_EQ(
        pair["ledger"],
        soup ? "96 answers scored in training here, 96 there"
             : "96 answers scored in training here, 48 there");
    // A rival of one run is compared with the first seed.
    EXPECT_EQ(pair["seeds"], 1);
    EXPECT_EQ(pair["weightings"].size(), 3u);
    const int shown = pair["won"].get<int>() + pair["tied"].get<int>() +
                      pair["lost"].get<int>();
    EXPECT_EQ(shown, 3);
  }
  ASSERT_EQ(comparison["against_bank"].size(), 2u);

  const std::string markdown = read_all(report / "comparison.md");
  EXPECT_TRUE(has(markdown, "## References")) << markdown;
  EXPECT_TRUE(has(markdown, "early (reference)")) << markdown;
  EXPECT_TRUE(has(read_all(report / "index.html"), "Compared methods"));
  EXPECT_TRUE(has(read_all(report / "comparison.csv"), "\nours,soup,value,"));

  EXPECT_TRUE(has(
      refusal({"--method", "ours"}), "is not NAME=RUN,RUN,..; give a name"));
  EXPECT_TRUE(has(
      refusal({"--weightings", "2", "--baseline", "soup", "--bank", "none"}),
      "the bank none is not among the methods"));
}

}  // namespace
}  // namespace moft::test
