// `moft soup`: rows 66 and 76, on the real program.
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

class Soup : public ::testing::Test {
 protected:
  Soup() { write_tiny_task(folder()); }

  const fs::path& folder() const { return scratch_.path(); }

  // A run that trains with these weights alone.
  void train(const std::string& output, const std::string& weights) const {
    train(output, weights, {"training.steps=3"});
  }
  void train(
      const std::string& output,
      const std::string& weights,
      const Words& more) const {
    const Ended ended = run_program(
        folder(),
        with(
            {"train",
             "recipe.yaml",
             "--output",
             output,
             "weightings.sampler=fixed",
             "weightings.weights=" + weights},
            more));
    ASSERT_EQ(ended.code, 0) << ended.errors;
  }

  // The model under a weighting, as exported.
  std::string weights_of(
      const std::string& policy, const std::string& weighting) const {
    const std::string to = "export" + std::to_string(exports_++);
    const Ended ended = run_program(
        folder(), {"export", policy, "--weights", weighting, "--to", to});
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return read_all(folder() / to / "model.safetensors");
  }

 private:
  const Scratch scratch_;
  mutable int exports_ = 0;
};

TEST_F(Soup, HoldsEachRunsCopyBitForBitAndCountsTheSteps) {
  train("only_a", "{a: 1, b: 0}");
  train("only_b", "{a: 0, b: 1}");
  const Ended made =
      run_program(folder(), {"soup", "only_b", "only_a", "--to", "soup"});
  ASSERT_EQ(made.code, 0) << made.errors;
  EXPECT_TRUE(has(made.output, "3 steps  only_a")) << made.output;
  EXPECT_TRUE(has(made.output, "6 steps\n")) << made.output;
  EXPECT_TRUE(has(read_all(folder() / "soup/recipe.yaml"), "steps: 6"));

  const std::string at_a = weights_of("soup", "a=1,b=0");
  const std::string at_b = weights_of("soup", "a=0,b=1");
  ASSERT_FALSE(at_a.empty());
  EXPECT_EQ(at_a, weights_of("only_a", "a=1,b=0"));
  EXPECT_EQ(at_b, weights_of("only_b", "a=0,b=1"));
  EXPECT_NE(at_a, at_b);
  // What a run did not train is still the reference.
  EXPECT_NE(at_b, weights_of("only_a", "a=0,b=1"));
  EXPECT_EQ(weights_of("only_a", "a=0,b=1"), weights_of("only_b", "a=1,b=0"));

  const Ended measured = run_program(
      folder(), {"evaluate", "soup", "--weightings", "2", "--samples", "1"});
  EXPECT_EQ(measured.code, 0) << measured.errors;
}

TEST_F(Soup, OfCheckpointsIsTheSoupOfShorterRuns) {
  const Words longer = {
      "training.steps=5",
      "training.checkpoint.every=1",
      "training.checkpoint.keep=4"};
  train("only_a", "{a: 1, b: 0}");
  train("only_b", "{a: 0, b: 1}");
  train("long_a", "{a: 1, b: 0}", longer);
  train("long_b", "{a: 0, b: 1}", longer);
  const auto soup = [&](const Words& words) {
    return run_program(folder(), with({"soup"}, words));
  };
  ASSERT_EQ(soup({"only_a", "only_b", "--to", "short"}).code, 0);
  const Ended made = soup({"long_a@3", "long_b@3", "--to", "soup"});
  ASSERT_EQ(made.code, 0) << made.errors;
  EXPECT_TRUE(has(made.output, "3 steps  long_a@3")) << made.output;
  EXPECT_TRUE(has(made.output, "6 steps\n"));
  EXPECT_FALSE(has(made.errors, "learning rate"));
  const std::string mixed = weights_of("soup", "a=0.25,b=0.75");
  EXPECT_EQ(mixed, weights_of("short", "a=0.25,b=0.75"));
  // Not the published policies; a step that was published needs no checkpoint.
  ASSERT_EQ(soup({"long_a", "long_b", "--to", "long"}).code, 0);
  EXPECT_NE(mixed, weights_of("long", "a=0.25,b=0.75"));
  fs::remove_all(folder() / "long_a/checkpoints/step-5");
  const Ended last = soup({"long_a@5", "long_b@5", "--to", "last"});
  EXPECT_EQ(last.code, 0) << last.errors;
  EXPECT_EQ(
      weights_of("last", "a=0.25,b=0.75"), weights_of("long", "a=0.25,b=0.75"));

  const Ended gone = soup({"long_a@1", "long_b@1", "--to", "none"});
  EXPECT_EQ(gone.code, 2);
  EXPECT_TRUE(has(
      gone.errors,
      "long_a has no checkpoint of step 1; it keeps step-2, step-3, step-4"))
      << gone.errors;
  EXPECT_TRUE(
      has(soup({"long_a@x", "long_b@3", "--to", "none"}).errors,
          "after the @ belongs a step"));

  // The front of a step is that of the shorter run.
  const auto front = [&](const std::string& run, const std::string& report) {
    const Ended measured =
        run_program(folder(), {"evaluate", run, "--weightings", "2"});
    EXPECT_EQ(measured.code, 0) << measured.errors;
    return read_all(folder() / report / "front.csv");
  };
  const std::string measured = front("long_a@3", "long_a/report-step-3");
  ASSERT_FALSE(measured.empty());
  EXPECT_EQ(measured, front("only_a", "only_a/report"));
  EXPECT_NE(measured, front("long_a", "long_a/report"));
  EXPECT_TRUE(has(
      read_all(folder() / "long_a/report-step-3/report.json"), "\"steps\": 3"))
      << read_all(folder() / "long_a/report-step-3/report.json")
             .substr(0, 3000);
}

TEST_F(Soup, SaysWhenTheLearningRateWasStillToFall) {
  const Words longer = {
      "training.steps=3",
      "training.checkpoint.every=1",
      "training.schedule.kind=linear"};
  train("a", "{a: 1, b: 0}", longer);
  train("b", "{a: 0, b: 1}", longer);
  const Ended made =
      run_program(folder(), {"soup", "a@2", "b@2", "--to", "soup"});
  EXPECT_EQ(made.code, 0) << made.errors;
  EXPECT_TRUE(has(made.errors, "still to fall at step 2 of 3")) << made.errors;
}

TEST_F(Soup, RefusesRunsThatMakeNone) {
  train("only_a", "{a: 1, b: 0}");
  train("half", "{a: 0.5, b: 0.5}");
  train(
      "other", "{a: 0, b: 1}", {"training.steps=3", "training.kl_strength=.5"});
  train(
      "words",
      "{a: 1, b: 0}",
      {"training.steps=1",
       "conditioning.steered_set=lora",
       "conditioning.prompt={common_adapter: true}"});
  const auto refusal = [&](const Words& runs) {
    Words words = {"soup"};
    words.insert(words.end(), runs.begin(), runs.end());
    words.insert(words.end(), {"--to", "soup"});
    const Ended ended = run_program(folder(), words);
    EXPECT_EQ(ended.code, 2) << ended.output;
    EXPECT_FALSE(fs::exists(folder() / "soup"));
    return ended.errors;
  };
  EXPECT_TRUE(has(refusal({"base"}), "is not a finished run"));
  EXPECT_TRUE(has(refusal({"only_a"}), "no run trained objective 'b'"));
  EXPECT_TRUE(has(refusal({"only_a", "only_a"}), "two runs trained"));
  EXPECT_TRUE(has(refusal({"only_a", "half"}), "one objective alone"));
  EXPECT_TRUE(has(refusal({"only_a", "other"}), "training.kl_strength"));
  EXPECT_TRUE(has(refusal({"words", "other"}), "common_adapter"));
}

TEST_F(Soup, RefusesAnotherKindOfPolicyByItsName) {
  train("only_a", "{a: 1, b: 0}");
  train("only_b", "{a: 0, b: 1}");
  const fs::path file = folder() / "only_b/policy/moft.json";
  std::string text = read_all(file);
  text.replace(text.find("\"clp\""), 5, "\"coin\"");
  write_tiny_text(file, text);
  const Ended made =
      run_program(folder(), {"soup", "only_a", "only_b", "--to", "soup"});
  EXPECT_EQ(made.code, 2);
  EXPECT_TRUE(has(made.errors, "only_b/policy/moft.json: kind is \"coin\""))
      << made.errors;
}

}  // namespace
}  // namespace moft::test
