// `moft steer` on the real program: from a wish to a setting that generates.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

TEST(Steer, AnswersWishesOnTheMeasuredFront) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  std::string lines;
  for (const char* word : {"nine", "ten", "eleven", "twelve", "many", "few"})
    lines += std::string(R"({"word": ")") + word + "\"}\n";
  write_tiny_text(folder / "heldout.jsonl", lines);
  const auto run = [&](const Words& words) {
    return run_program(folder, words);
  };
  const auto refusal = [&](const Words& more) {
    const Ended ended = run(with({"steer", "run"}, more));
    EXPECT_EQ(ended.code, 2) << ended.output;
    return ended.errors;
  };
  ASSERT_EQ(run({"train", "recipe.yaml", "training.steps=2"}).code, 0);
  EXPECT_TRUE(
      has(refusal({"--want", "a>=0"}),
          "run/report/report.json does not exist; measure the run first: moft "
          "evaluate run"));
  ASSERT_EQ(run({"evaluate", "run", "--weightings", "3"}).code, 0);

  const Ended met =
      run({"steer", "run", "--want", "a>=-1", "kl<=1000", "--maximise", "b"});
  EXPECT_EQ(met.code, 0) << met.errors;
  EXPECT_TRUE(has(met.output, "wish: a >= -1, kl <= 1000, most b\n"));
  EXPECT_TRUE(
      has(met.output, "Chosen on 3 of the prompts, measured on the other 3."));
  // The answer is a setting that generates.
  const Ended json = run(
      {"steer",
       "run",
       "--want",
       "a>=-1",
       "kl<=1000",
       "--maximise",
       "b",
       "--json"});
  const auto found = nlohmann::json::parse(json.output, nullptr, false);
  ASSERT_TRUE(found.is_object()) << json.output;
  EXPECT_EQ(found["met"], true);
  EXPECT_EQ(found["bounds"][0]["other_half"], "holds");
  const std::string command = found["command"];
  EXPECT_TRUE(has(met.output, "\n" + command + "\n"));
  const std::string start = "moft generate run --weights ";
  ASSERT_EQ(command.substr(0, start.size()), start);
  const std::string weights = command.substr(
      start.size(), command.find(' ', start.size()) - start.size());
  const Ended generated = run(
      {"generate",
       "run",
       "--weights",
       weights,
       "--alpha",
       found["alpha"].dump(),
       "--prompt",
       "nine",
       "--max-new-tokens",
       "2"});
  EXPECT_EQ(generated.code, 0) << generated.errors;

  const Ended unmet = run({"steer", "run", "--want", "a>=5"});
  EXPECT_EQ(unmet.code, 1);
  EXPECT_TRUE(
      has(unmet.output,
          "None of the 3 measured settings meets it. The nearest is "));
  EXPECT_TRUE(has(unmet.output, " short of a >= 5."));

  const Ended examples = run({"steer", "run"});
  EXPECT_EQ(examples.code, 0) << examples.errors;
  EXPECT_TRUE(has(examples.output, "| most a |"));
  EXPECT_TRUE(
      has(read_all(folder / "run/report/index.html"), "From wish to knob"));

  EXPECT_TRUE(
      has(refusal({"--want", "c>=1"}),
          "--want: 'c' is not measured in this report"));
  EXPECT_TRUE(
      has(refusal({"--maximise", "c"}),
          "--maximise: 'c' is not measured in this report"));
  EXPECT_TRUE(has(refusal({"--want", "a"}), "'a' is not a wish"));

  // A run that has gone on since.
  ASSERT_EQ(
      run({"train", "recipe.yaml", "--resume", "auto", "training.steps=3"})
          .code,
      0);
  EXPECT_TRUE(
      has(refusal({"--want", "a>=0"}),
          "run/report/report.json measured the policy after 2 steps, and "
          "run/policy now has 3; measure it again: moft evaluate run"));
  write_tiny_text(folder / "run/report/report.json", R"({"format_version":0})");
  EXPECT_TRUE(has(refusal({"--want", "a>=0"}), "format_version is not 1"));
}

}  // namespace
}  // namespace moft::test
