// `moft evaluate` on the real program: what a report says is about its policy.
#include <csignal>
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

std::string replaced(
    std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

class Evaluate : public ::testing::Test {
 protected:
  Evaluate() { write_tiny_task(folder()); }

  const fs::path& folder() const { return scratch_.path(); }

  Ended run(const Words& words) const { return run_program(folder(), words); }

  void train(const std::string& output, Words more = {}) const {
    Words words = {"train", "recipe.yaml", "--output", output};
    more.insert(more.begin(), "training.steps=3");
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = run(words);
    ASSERT_EQ(ended.code, 0) << ended.errors;
  }

  nlohmann::json evaluate(const std::string& output, Words more = {}) const {
    const Ended ended =
        run(with({"evaluate", output, "--weightings", "2"}, more));
    EXPECT_EQ(ended.code, 0) << ended.errors;
    const std::string text = read_all(folder() / output / "report/report.json");
    return nlohmann::json::parse(text, nullptr, false);
  }

  std::string refusal(const std::string& output, const Words& more) const {
    const Ended ended = run(with({"evaluate", output}, more));
    EXPECT_EQ(ended.code, 2) << ended.output;
    return ended.errors;
  }

  void write(const std::string& name, const std::string& text) const {
    write_tiny_text(folder() / name, text);
  }

  void write_words(const std::string& name, const Words& words) const {
    std::string lines;
    for (const std::string& word : words)
      lines += "{\"word\": \"" + word + "\"}\n";
    write(name, lines);
  }

 private:
  const Scratch scratch_;
};

std::string notes_of(const nlohmann::json& report) {
  std::string all;
  for (const auto& note : report.at("notes"))
    all += note.get<std::string>() + "\n";
  return all;
}

TEST_F(Evaluate, NamesThePolicysOwnStepsAfterTheRunWentOn) {
  train("run");
  Program longer(
      folder(),
      {"train", "recipe.yaml", "--resume", "auto", "training.steps=1000000"});
  ASSERT_TRUE(longer.wait_until(
      [&] { return count_lines(folder() / "run/metrics.jsonl") > 5; }));
  longer.send(SIGINT);
  longer.exit_code();
  ASSERT_TRUE(has(read_all(folder() / "run/recipe.yaml"), "steps: 1000000"));

  const auto report = evaluate("run");
  EXPECT_EQ(report["provenance"]["training steps"], "3");
  EXPECT_EQ(report["policy"]["steps"], 3);
  EXPECT_EQ(report["policy"]["answers"], 3 * 6 * 4);
  ASSERT_EQ(report["training"].size(), 3u);
  EXPECT_EQ(report["training"].back()["step"], 3.0);
  EXPECT_FALSE(has(notes_of(report), "does not record"));
}

TEST_F(Evaluate, AnOlderPolicyTakesItsStepsFromElsewhereWithARemark) {
  train("run");
  const fs::path file = folder() / "run/policy/moft.json";
  auto definition = nlohmann::json::parse(read_all(file));
  EXPECT_EQ(definition.at("steps"), 3);
  EXPECT_EQ(definition.at("answers"), 72);
  definition.erase("steps");
  definition.erase("answers");
  write("run/policy/moft.json", definition.dump());
  // As if the run had gone on: the model card knows better.
  const std::string recipe = read_all(folder() / "run/recipe.yaml");
  write("run/recipe.yaml", replaced(recipe, "steps: 3\n", "steps: 100\n"));
  std::string log = read_all(folder() / "run/metrics.jsonl");
  log += "{\"step\":4,\"kl\":0.5}\n{\"step\":5,\"kl\":0.5}\n";
  write("run/metrics.jsonl", log);
  auto report = evaluate("run");
  EXPECT_EQ(report["provenance"]["training steps"], "3");
  EXPECT_EQ(report["training"].size(), 3u);
  const std::string remark =
      "The policy of run does not record how long it was trained (an older "
      "moft wrote it); ";
  EXPECT_TRUE(
      has(notes_of(report), remark + "3 steps are taken from its model card."));
  fs::remove(folder() / "run/policy/README.md");
  report = evaluate("run");
  EXPECT_EQ(report["provenance"]["training steps"], "5");
  EXPECT_EQ(report["policy"]["answers"], 5 * 24);
  EXPECT_TRUE(
      has(notes_of(report),
          remark + "5 steps are taken from the run's recipe and log"));
}

TEST_F(Evaluate, FinalPromptsAreAPartOfTheirOwn) {
  write_words("final.jsonl", {"ten", "eleven", "twelve"});
  train("run", {"data.final=final.jsonl"});
  const auto chosen = evaluate("run");
  EXPECT_EQ(chosen["data"]["split"], "evaluation");
  EXPECT_EQ(chosen["data"]["prompts"], 1);
  EXPECT_TRUE(has(notes_of(chosen), "These prompts are for choosing"));
  const auto published = evaluate("run", {"--split", "final"});
  EXPECT_EQ(published["data"]["split"], "final");
  EXPECT_EQ(published["data"]["prompts"], 3);
  EXPECT_EQ(published["data"]["overlap"], 0);
  EXPECT_EQ(published["data"]["hash"].get<std::string>().size(), 32u);
  EXPECT_NE(published["data"]["hash"], chosen["data"]["hash"]);
  EXPECT_EQ(
      published["provenance"]["xxh3 data.final"], published["data"]["hash"]);
  EXPECT_FALSE(has(notes_of(published), "for choosing"));

  EXPECT_TRUE(has(refusal("run", {"--split", "test"}), "--split is 'test'"));
  train("without");
  EXPECT_TRUE(
      has(refusal("without", {"--split", "final"}),
          "the recipe names no data.final"));
}

TEST_F(Evaluate, FinalPromptsOfAnotherPartAreRefusedEverywhere) {
  train("run");
  for (const char* seen : {"two", "nine"}) {
    write_words("final.jsonl", {"ten", seen});
    const std::string sentence =
        std::string("1 of the 2 prompts of data.final is also in data.") +
        (seen == std::string("two") ? "train" : "evaluation");
    const Ended check =
        run({"recipe", "check", "recipe.yaml", "data.final=final.jsonl"});
    EXPECT_EQ(check.code, 2);
    EXPECT_TRUE(has(check.errors, sentence)) << check.errors;
    EXPECT_TRUE(has(check.errors, "final.jsonl:2")) << check.errors;
    const Ended trained = run(
        {"train",
         "recipe.yaml",
         "--output",
         "run",
         "--overwrite",
         "data.final=final.jsonl"});
    EXPECT_EQ(trained.code, 2);
    EXPECT_TRUE(has(trained.errors, sentence)) << trained.errors;
    EXPECT_TRUE(fs::exists(folder() / "run/policy"));  // refused first
    const std::string recipe = read_all(folder() / "run/recipe.yaml");
    write(
        "run/recipe.yaml", replaced(recipe, "final: []", "final: final.jsonl"));
    EXPECT_TRUE(has(refusal("run", {}), sentence));
    EXPECT_TRUE(has(refusal("run", {"--split", "final"}), "data.final"));
    write("run/recipe.yaml", recipe);
  }
}

TEST_F(Evaluate, HeldOutPromptsThatWereTrainedOnAreWarnedOf) {
  write_words("heldout.jsonl", {"nine", "three"});
  const Ended check = run({"recipe", "check", "recipe.yaml"});
  EXPECT_EQ(check.code, 0);
  const std::string sentence =
      "1 of the 2 prompts of data.evaluation is also in data.train";
  EXPECT_TRUE(has(check.errors, sentence)) << check.errors;
  EXPECT_TRUE(has(check.errors, "heldout.jsonl:2 is train.jsonl:3"));
  const Ended trained = run({"train", "recipe.yaml", "training.steps=2"});
  EXPECT_EQ(trained.code, 0) << trained.errors;
  EXPECT_TRUE(has(trained.errors, sentence)) << trained.errors;
  const auto report = evaluate("run");
  EXPECT_EQ(report["data"]["overlap"], 1);
  EXPECT_TRUE(has(notes_of(report), "Warning: 1 of the 2 prompts"));
}

TEST_F(Evaluate, BaselinesHaveTheirOwnReferenceAndAlpha) {
  TinyModel shape;
  shape.width = 32;
  shape.feed_forward = 64;
  shape.seed = 99;
  write_tiny_model(folder() / "other_base", shape);
  write_words("heldout.jsonl", {"nine", "ten", "eleven"});
  train("run");
  train(
      "other",
      {"policy.model=other_base",
       "policy.temperature=0.8",
       "training.kl_strength=0.05",
       "training.steps=2"});
  const auto alone = evaluate("other", {"--alpha", "0.05"});
  const auto both = evaluate("run", {"--baseline", "other"});
  ASSERT_EQ(both["baselines"].size(), 1u);
  const auto& baseline = both["baselines"][0];
  EXPECT_EQ(baseline["reference"]["rewards"], alone["reference"]["rewards"]);
  EXPECT_EQ(baseline["points"], alone["points"]);
  EXPECT_NE(baseline["reference"]["rewards"], both["reference"]["rewards"]);
  EXPECT_EQ(baseline["policy"]["steps"], 2);
  const std::string notes = notes_of(both);
  EXPECT_TRUE(has(notes, "Against other: ")) << notes;
  EXPECT_TRUE(has(notes, "another base model (other_base, not base)")) << notes;
  EXPECT_TRUE(has(notes, "another temperature (0.8, not 1)")) << notes;
  EXPECT_TRUE(has(notes, "does not answer to alpha 0.01; it ran at 0.05"))
      << notes;
  EXPECT_TRUE(has(notes, "other was trained for 2 steps (48 answers)"))
      << notes;
  // The other way round the lower alpha is none of the baseline's trouble.
  const auto reverse = evaluate("other", {"--baseline", "run"});
  EXPECT_EQ(reverse["baselines"][0]["points"][0]["alpha"], 0.05);
  EXPECT_FALSE(has(notes_of(reverse), "does not answer to alpha 0.05"));
}

TEST_F(Evaluate, OtherObjectivesAndPromptsAreRefusedBeforeAnyWork) {
  train("run");
  train("regex", {"objectives.a.regex.pattern=c"});
  EXPECT_TRUE(
      has(refusal("run", {"--baseline", "regex"}),
          "regex has other objectives than run: they differ in "
          "objectives.a.regex.pattern"));
  write_words("elsewhere.jsonl", {"ten"});
  train("prompts", {"data.evaluation=elsewhere.jsonl"});
  EXPECT_TRUE(
      has(refusal("run", {"--baseline", "prompts"}),
          "prompts has other prompts than run"));
  EXPECT_FALSE(fs::exists(folder() / "run/report"));
}

// Two objectives, one alpha in the report: the knob is tested all the same.
TEST_F(Evaluate, APolicyThatDoesNotAnswerToAlphaIsWarnedOf) {
  const Words knob = {
      "training.steps=2",
      "training.kl_sampler=uniform",
      "conditioning.alpha_min=0.005"};
  Words still = {
      "train", "recipe.yaml", "training.optimizer.learning_rate=1e-30"};
  still.insert(still.end(), knob.begin(), knob.end());
  const Ended trained = run(still);
  ASSERT_EQ(trained.code, 0) << trained.errors;
  EXPECT_TRUE(has(trained.errors, "THIS POLICY DOES NOT STEER"));
  EXPECT_TRUE(has(trained.errors, "THIS POLICY DOES NOT ANSWER TO --alpha"));
  EXPECT_TRUE(
      has(notes_of(evaluate("run")),
          "Warning: the policy of run does not answer to alpha: its logits at "
          "alpha "
          "0.005 equal those at 1."));
  train("moved", knob);
  EXPECT_FALSE(has(notes_of(evaluate("moved")), "does not answer to alpha"));
}

TEST_F(Evaluate, OneObjectiveIsMeasuredAtSeveralAlphas) {
  const std::string recipe = read_all(folder() / "recipe.yaml");
  write(
      "recipe.yaml",
      replaced(recipe, "  b:\n    regex:\n      pattern: b\n", ""));
  train("fixed");
  EXPECT_EQ(evaluate("fixed")["points"].size(), 1u);
  train(
      "drawn", {"training.kl_sampler=uniform", "conditioning.alpha_min=0.005"});
  const auto report = evaluate("drawn");
  ASSERT_EQ(report["points"].size(), 5u);
  EXPECT_EQ(report["points"][0]["alpha"], 0.005);
  EXPECT_EQ(report["points"][0]["beta"], 0.0);
  EXPECT_EQ(report["points"][4]["alpha"], 1.0);
  EXPECT_EQ(report["points"][4]["beta"], 1.0);
  // At 1 it is the reference itself.
  EXPECT_NEAR(report["points"][4]["kl"]["mean"].get<double>(), 0, 1e-6);
  EXPECT_GT(report["points"][0]["kl"]["mean"].get<double>(), 1e-4);
  EXPECT_EQ(evaluate("drawn", {"--alpha", "0.1"})["points"].size(), 1u);
  EXPECT_EQ(evaluate("drawn", {"--alphas", "3"})["points"].size(), 3u);
  EXPECT_EQ(
      run({"evaluate", "drawn", "--alphas", "3", "--alpha", "0.1"}).code, 2);
}

}  // namespace
}  // namespace moft::test
