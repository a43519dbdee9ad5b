// `moft combine`, on the real program.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

class Combine : public ::testing::Test {
 protected:
  Combine() { write_tiny_task(folder()); }

  const fs::path& folder() const { return scratch_.path(); }

  void train(const std::string& output, const std::string& weights) const {
    run(
        {"train",
         "recipe.yaml",
         "--output",
         output,
         "weightings.sampler=fixed",
         "weightings.weights=" + weights,
         "training.kl_strength=.1",
         "training.steps=3"});
  }

  // What the program prints; it must end well.
  std::string run(const Words& words) const {
    const Ended ended = run_program(folder(), words);
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return ended.output;
  }
  std::string refusal(const Words& words) const {
    const Ended ended = run_program(folder(), words);
    EXPECT_EQ(ended.code, 2) << ended.output;
    return ended.errors;
  }

  std::string answer(
      const std::string& policy,
      const std::string& weights,
      const std::string& alpha) const {
    return run(
        {"generate",
         policy,
         "--weights",
         weights,
         "--alpha",
         alpha,
         "--prompt",
         "the fox",
         "--max-new-tokens",
         "12"});
  }

 private:
  const Scratch scratch_;
};

TEST_F(Combine, ModAtACornerAnswersAsItsExpert) {
  train("only_a", "{a: 1, b: 0}");
  train("only_b", "{a: 0, b: 1}");
  run({"soup", "only_a", "only_b", "--to", "soup"});
  EXPECT_TRUE(has(
      refusal({"combine", "--kind", "mod", "only_a", "only_b", "--to", "x"}),
      "moft soup RUNS --to SOUP"));
  EXPECT_FALSE(fs::exists(folder() / "x"));
  run({"combine", "--kind", "mod", "soup", "--to", "mod"});
  for (const char* corner : {"a=1,b=0", "a=0,b=1"}) {
    const std::string expert = corner[2] == '1' ? "only_a" : "only_b";
    EXPECT_EQ(answer("mod", corner, "0.1"), answer(expert, corner, "0.1"));
  }
  run({"sweep", "mod", "--prompt", "the fox", "--max-new-tokens", "8"});
  run(
      {"evaluate",
       "soup",
       "--baseline",
       "mod",
       "--weightings",
       "3",
       "--samples",
       "1"});
  EXPECT_TRUE(
      has(refusal({"export", "mod", "--weights", "a=1,b=0", "--to", "out"}),
          "cannot be exported"));
  EXPECT_TRUE(
      has(refusal({"combine", "--kind", "mod", "soup", "--to", "mod"}),
          "holds a run already (of `moft combine`)"));
}

TEST_F(Combine, DeraAnswersToEveryAlphaOfARunThatWasTrainedAtOne) {
  train("low", "{a: .5, b: .5}");
  run({"combine", "--kind", "dera", "low", "--to", "dera"});
  const std::string w = "a=.5,b=.5";
  EXPECT_EQ(answer("dera", w, "0.1"), answer("low", w, "0.1"));
  answer("dera", w, "0.4");
  run(
      {"evaluate",
       "dera",
       "--alphas",
       "3",
       "--weightings",
       "2",
       "--samples",
       "1"});
  const Words further = {
      "combine", "--kind", "dera", "low", "--to", "far", "--lambda-max", "3"};
  EXPECT_TRUE(has(run(further), "alpha    from 0.0357142857142857"));
  answer("far", w, "0.05");
  EXPECT_TRUE(
      has(refusal(
              {"combine",
               "--kind",
               "dera",
               "low",
               "--to",
               "y",
               "--lambda-max",
               "0.5"}),
          "--lambda-max is 0.5"));
  EXPECT_TRUE(
      has(refusal({"combine", "--kind", "blend", "low", "--to", "y"}),
          "give one of dera, mod, bank, personalised_soup"));
  EXPECT_TRUE(
      has(refusal({"combine", "--kind", "dera", "base", "--to", "y"}),
          "is not a finished run"));
}

TEST_F(Combine, ABankAnswersWithTheRunOfTheWeighting) {
  train("only_a", "{a: 1, b: 0}");
  train("half", "{a: .5, b: .5}");
  run({"combine", "--kind", "bank", "only_a", "half", "--to", "bank"});
  EXPECT_TRUE(has(read_all(folder() / "bank/recipe.yaml"), "steps: 6"));
  EXPECT_EQ(
      answer("bank", "a=1,b=0", "0.1"), answer("only_a", "a=1,b=0", "0.1"));
  EXPECT_EQ(
      answer("bank", "a=.5,b=.5", "0.1"), answer("half", "a=.5,b=.5", "0.1"));
  const Ended nearest = run_program(
      folder(),
      {"sweep", "bank", "--prompt", "the fox", "--max-new-tokens", "8"});
  EXPECT_EQ(nearest.code, 0) << nearest.errors;
  EXPECT_TRUE(has(nearest.errors, "the bank has no run for a=0,b=1"))
      << nearest.errors;
  run(
      {"evaluate",
       "half",
       "--baseline",
       "bank",
       "--weightings",
       "2",
       "--samples",
       "1"});
  EXPECT_TRUE(has(
      refusal({"combine", "--kind", "bank", "half", "half", "--to", "twice"}),
      "give each once"));
  EXPECT_FALSE(fs::exists(folder() / "twice/moft_run.json"));
}

TEST_F(Combine, APersonalisedSoupTakesSetsOfObjectives) {
  train("only_a", "{a: 1, b: 0}");
  train("only_b", "{a: 0, b: 1}");
  run({"soup", "only_a", "only_b", "--to", "soup"});
  const Words made = {"combine", "--kind", "personalised_soup", "soup", "--to"};
  run(with(made, {"strict"}));
  run(with(made, {"rounded", "--round", "binary"}));
  const auto exported = [&](const std::string& policy,
                            const std::string& weights) {
    const std::string to = policy + weights;
    run({"export", policy, "--weights", weights, "--to", to});
    return read_all(folder() / to / "model.safetensors");
  };
  EXPECT_EQ(exported("strict", "a=.5,b=.5"), exported("soup", "a=.5,b=.5"));
  EXPECT_EQ(exported("strict", "a=1,b=0"), exported("only_a", "a=1,b=0"));
  EXPECT_EQ(exported("rounded", "a=.9,b=.1"), exported("soup", "a=1,b=0"));
  EXPECT_TRUE(
      has(refusal(
              {"generate",
               "strict",
               "--weights",
               "a=.9,b=.1",
               "--prompt",
               "the fox"}),
          "make it with --round binary"));
  run({"evaluate", "strict", "--weightings", "3", "--samples", "1"});
}

}  // namespace
}  // namespace moft::test
