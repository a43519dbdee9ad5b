// `moft recipe` and every sentence about a bad recipe.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

// A whole good recipe; the paths exist in the folder of a test that checks
// them.
const std::string kGood =
    "name: small\n"
    "output: run\n"
    "policy: {model: model.gguf}\n"
    "data: {train: train.jsonl, evaluation: held.jsonl, prompt_template: "
    "\"{post}\"}\n"
    "objectives:\n"
    "  short: {length: {full_at: 5, zero_at: 20}}\n"
    "  polite: {regex: {pattern: please}}\n";

void expect_refusal(
    const std::string& yaml,
    const std::vector<std::string>& overrides,
    const std::string& sentence) {
  TemporaryFolder folder;
  folder.write("r.yaml", yaml);
  std::vector<std::string> arguments = {"recipe", "show", "r.yaml"};
  arguments.insert(arguments.end(), overrides.begin(), overrides.end());
  ProgramResult result = run_moft(arguments, folder.path());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "moft: " + sentence + "\n");
  EXPECT_EQ(result.out, "");
}

void expect_refusal(const std::string& extra, const std::string& sentence) {
  expect_refusal(kGood + extra, {}, sentence);
}

void expect_override_refusal(
    const std::string& assignment, const std::string& sentence) {
  expect_refusal(kGood, {assignment}, sentence);
}

TEST(Recipe, NeedsACommandAndARecipe) {
  ProgramResult result = run_moft({"recipe"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(
      result.err,
      "moft: 'moft recipe' needs one of show, check, draws, list, reference\n");
  result = run_moft({"recipe", "show"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(
      result.err,
      "moft: moft recipe show: RECIPE is required; 'moft help recipe show' "
      "shows the options\n");
  result = run_moft({"recipe", "show", "quikstart"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(
      result.err,
      "moft: recipe 'quikstart' is neither a file nor a shipped recipe; did "
      "you mean 'quickstart'?\n");
}

TEST(Recipe, ShowIsAFixedPoint) {
  ProgramResult first = run_moft({"recipe", "show", "quickstart"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  TemporaryFolder folder;
  folder.write("effective.yaml", first.out);
  ProgramResult second =
      run_moft({"recipe", "show", "effective.yaml"}, folder.path());
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(second.out, first.out);
}

TEST(Recipe, ShowAppliesOverridesInOrder) {
  TemporaryFolder folder;
  folder.write("r.yaml", kGood);
  ProgramResult plain = run_moft({"recipe", "show", "r.yaml"}, folder.path());
  ProgramResult changed = run_moft(
      {"recipe",
       "show",
       "r.yaml",
       "training.steps=5",
       "training.steps=6",
       "objectives.short.length.full_at=4"},
      folder.path());
  ASSERT_EQ(changed.exit_code, 0) << changed.err;
  std::string expected = plain.out;
  expected.replace(expected.find("  steps: 40\n"), 12, "  steps: 6\n");
  expected.replace(expected.find("full_at: 5.0"), 12, "full_at: 4.0");
  EXPECT_EQ(changed.out, expected);
}

TEST(Recipe, ShippedRecipesAreListedAndTheirFilesFit) {
  ProgramResult list = run_moft({"recipe", "list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_NE(list.out.find("\nquickstart "), std::string::npos);
  EXPECT_NE(list.out.find("dpo-helpsteer2 "), std::string::npos);
  // Without the models, which tests must not need.
  TemporaryFolder folder;
  TinyModel shape;
  shape.numbers = true;
  write_tiny_model(folder.path() / "base", shape);
  ProgramResult check = run_moft(
      {"recipe",
       "check",
       "recipes/quickstart.yaml",
       "policy.model=" + (folder.path() / "base").string(),
       "data.too_long=truncate_right",
       "data.prompt_template='{post}'",
       "conditioning.lora.layers=all",
       "objectives={brevity: {length: {full_at: 6, zero_at: 26}}, "
       "relevance: {rouge: {field: post}}}"});
  EXPECT_EQ(check.exit_code, 0) << check.err;
  EXPECT_EQ(
      check.out.rfind("recipes/quickstart.yaml: good; 2 objectives, ", 0), 0u);
}

TEST(Recipe, TheReferencePageIsUpToDate) {
  ProgramResult page = run_moft({"recipe", "reference"});
  EXPECT_EQ(page.exit_code, 0);
  EXPECT_EQ(
      page.out,
      read_file(std::string(MOFT_SOURCE_DIR) + "/docs/recipe-reference.md"))
      << "run: moft recipe reference > docs/recipe-reference.md";
}

TEST(Recipe, GoodOnesPass) {
  TemporaryFolder folder;
  folder.write("r.yaml", kGood);
  ProgramResult show = run_moft({"recipe", "show", "r.yaml"}, folder.path());
  EXPECT_EQ(show.exit_code, 0) << show.err;
}

TEST(Recipe, RefusesUnknownKeysAndWrongTypes) {
  expect_refusal(
      "training:\n  stpes: 3\n",
      "r.yaml:9: key 'training.stpes' is not known; did you mean "
      "'training.steps'?");
  expect_refusal(
      "training:\n  steps: many\n",
      "r.yaml:9: training.steps is 'many'; give a whole number from 1 to "
      "1000000000");
  expect_override_refusal(
      "trainning.steps=3",
      "override 'trainning.steps=3': key 'trainning' is not known; did you "
      "mean 'training'?");
  expect_override_refusal(
      "precision=fp16",
      "override 'precision=fp16': precision is 'fp16'; give one of fp32, "
      "bf16 (fp16 is refused: T5's activations leave its range, which bf16 "
      "covers)");
  expect_override_refusal(
      "conditioning.steered_set=atention",
      "override 'conditioning.steered_set=atention': conditioning.steered_set "
      "is 'atention'; give one of full, attention, logits, pattern, none, "
      "lora (did you mean 'attention'?)");
  expect_refusal(
      "format_version: 2\n",
      "r.yaml:8: format_version is 2; give a whole number from 1 to 1");
  expect_refusal(
      "training: [\n",
      {},
      "r.yaml:2: not valid YAML: end of sequence flow not found");
  expect_refusal(
      "name: small\n",
      {},
      "r.yaml: key 'output' is missing; give the run "
      "directory; made when it does not exist");
}

TEST(Recipe, RefusesAlphaOutsideItsRange) {
  expect_override_refusal(
      "training.kl_strength=-0.1",
      "override 'training.kl_strength=-0.1': training.kl_strength is -0.1; "
      "give a number of at least 0 and below 1");
  expect_override_refusal(
      "training.kl_strength=1",
      "override 'training.kl_strength=1': training.kl_strength is 1; give a "
      "number of at least 0 and below 1");
  expect_override_refusal(
      "conditioning.alpha_min=0.5",
      "r.yaml: conditioning.alpha_min is 0.5; give at most "
      "training.kl_strength, which is 0.01");
}

TEST(Recipe, RefusesKnobsThatNothingCarries) {
  expect_override_refusal(
      "conditioning.steered_set=none",
      "r.yaml: conditioning.steered_set is none and there is no "
      "conditioning.prompt, so nothing would carry the weighting; give one of "
      "the two");
  expect_refusal(
      kGood,
      {"conditioning={steered_set: none, prompt: {}}",
       "training.kl_sampler=inverse"},
      "r.yaml: training.kl_sampler is inverse but conditioning.steered_set is "
      "none, and a prompt carries no KL strength; give kl_sampler: fixed or "
      "another set");
  expect_override_refusal(
      "conditioning.prompt.names.shrot=brevity",
      "r.yaml: conditioning.prompt.names renames 'shrot', which is not an "
      "objective; the objectives are polite, short");
}

TEST(Recipe, RefusesBadWeightings) {
  expect_refusal(
      "weightings: {sampler: fixed, weights: {short: 0.5, polite: -0.5}}\n",
      "r.yaml:8: weightings.weights.polite is -0.5; give a number of at least "
      "0");
  expect_refusal(
      "weightings: {sampler: fixed, weights: {short: .inf, polite: 0}}\n",
      "r.yaml:8: weightings.weights.short is '.inf'; give a number of at least "
      "0");
  expect_refusal(
      "weightings: {sampler: fixed}\n",
      "r.yaml: weightings.weights is empty but weightings.sampler is fixed; "
      "give one weight per objective");
  expect_refusal(
      "weightings: {concentrations: {shrot: 1}}\n",
      "r.yaml: weightings.concentrations names 'shrot', which is not an "
      "objective; the objectives are polite, short");
  // The words of these two are the weightings part's; the place is ours.
  for (std::string weights :
       {"{short: 0.5, polite: 0.6}", "{short: 1}", "{shrot: 1, polite: 0}"}) {
    TemporaryFolder folder;
    folder.write(
        "r.yaml",
        kGood + "weightings: {sampler: fixed, weights: " + weights + "}\n");
    ProgramResult result =
        run_moft({"recipe", "show", "r.yaml"}, folder.path());
    EXPECT_EQ(result.exit_code, 2) << weights;
    EXPECT_EQ(result.err.rfind("moft: r.yaml: weightings.weights", 0), 0u)
        << result.err;
  }
}

TEST(Recipe, RefusesBadObjectives) {
  expect_override_refusal(
      "objectives={}",
      "r.yaml: objectives is empty; give at least one objective");
  expect_override_refusal(
      "objectives.polite.length={full_at: 1, zero_at: 2}",
      "r.yaml: objectives.polite has 2 reward kinds; give exactly one of "
      "similarity, length, regex, rouge, classifier, preference, verdict, "
      "python, command, http, judge");
  expect_override_refusal(
      "objectives.other={}",
      "r.yaml: objectives.other has 0 reward kinds; give exactly one of "
      "similarity, length, regex, rouge, classifier, preference, verdict, "
      "python, command, http, judge");
  expect_override_refusal(
      "objectives.short.range=[1, 1]",
      "r.yaml: objectives.short.range is [1, 1]; give [low, high] with low "
      "below high");
  expect_override_refusal(
      "objectives.short.length.zero_at=5",
      "r.yaml: objectives.short.length.full_at and zero_at are both 5; give "
      "two lengths, the one that gets 1 and the one that gets 0");
  expect_override_refusal(
      "objectives.short.length.gate={objective: polit}",
      "r.yaml: objectives.short.length.gate.objective is 'polit', which is "
      "not another objective; did you mean 'polite'?");
  expect_override_refusal(
      "objectives={a b: {regex: {pattern: x}}}",
      "r.yaml: objectives holds the name 'a b'; names are 1 to 64 letters, "
      "digits, '_' and '-'");
}

TEST(Recipe, RefusesWhatDoesNotFitTogether) {
  expect_override_refusal(
      "training.samples_per_prompt=1",
      "r.yaml: training.samples_per_prompt is 1 but training.baseline is "
      "leave_one_out; give at least 2, or baseline: batch_mean");
  expect_override_refusal(
      "training.schedule.warmup_steps=100",
      "r.yaml: training.schedule.warmup_steps is 100; give at most "
      "training.steps, which is 40");
  expect_override_refusal(
      "conditioning.lora.layers=9..3",
      "r.yaml: conditioning.lora.layers is '9..3'; give all, upper_half or a "
      "range such as 15..29");
  expect_override_refusal(
      "conditioning.lora.modules=[q, q]",
      "r.yaml: conditioning.lora.modules names q twice; name it once");
  expect_override_refusal(
      "conditioning.lora.modules=[]",
      "r.yaml: key 'conditioning.lora.modules' is missing; give which linear "
      "maps of a layer get adapters");
}

TEST(Recipe, CheckReadsTheFilesBesideTheRecipe) {
  TemporaryFolder folder;
  folder.write("r.yaml", kGood);
  std::string recipe = (folder.path() / "r.yaml").string();
  const std::string output = "output=" + (folder.path() / "run").string();
  auto check = [&] {
    return run_moft({"recipe", "check", recipe, output}, "/");
  };

  ProgramResult result = check();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(
      result.err,
      "moft: " + recipe +
          ": policy.model is 'model.gguf', which does not exist, neither from "
          "the current directory nor from the recipe's\n");
  write_tiny_model(folder.path() / "model.gguf");  // a folder will do
  folder.write("train.jsonl", "{\"post\": \"a\"}\n{\"post\": \"b\"}\n");
  folder.write("held.jsonl", "{\"post\": \"c\"}\n");
  result = check();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(
      result.out.rfind(
          recipe + ": good; 2 objectives, 2 and 1 examples\nmodel ", 0),
      0u)
      << result.out;

  std::string held = (folder.path() / "held.jsonl").string();
  for (std::string bad :
       {"",
        "\n{\"post\": \"c\"}\n",
        "{\"post\": \n",
        "[]\n",
        "{\"pots\": \"c\"}\n",
        "{\"post\": 3}\n"}) {
    folder.write("held.jsonl", bad);
    result = check();
    EXPECT_EQ(result.exit_code, 2) << bad;
    EXPECT_NE(result.err.find(held), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  }
}

TEST(Recipe, CheckComparesThePartsOfTheData) {
  TemporaryFolder folder;
  folder.write("r.yaml", kGood);
  write_tiny_model(folder.path() / "model.gguf");  // a folder will do
  folder.write("train.jsonl", "{\"post\": \"a\"}\n{\"post\": \"b\"}\n");
  folder.write("held.jsonl", "{\"post\": \"c\"}\n{\"post\": \"b\"}\n");
  folder.write("final.jsonl", "{\"post\": \"d\", \"id\": \"b\"}\n");
  const auto check = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"recipe", "check", "r.yaml"};
    words.insert(words.end(), more.begin(), more.end());
    return run_moft(words, folder.path());
  };
  ProgramResult result = check({"data.final=final.jsonl"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with(
      "r.yaml: good; 2 objectives, 2 and 2 and 1 examples\n"))
      << result.out;
  EXPECT_NE(
      result.err.find(
          "r.yaml: 1 of the 2 prompts of data.evaluation is also in "
          "data.train: held.jsonl:2 is train.jsonl:2; a held-out prompt must "
          "not be trained on: remove these from one of the two"),
      std::string::npos)
      << result.err;
  folder.write("held.jsonl", "{\"post\": \"d\"}\n");
  result = check({"data.final=final.jsonl"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(
      result.err.find("r.yaml: 1 of the 1 prompts of data.final is also in "
                      "data.evaluation: final.jsonl:1 is held.jsonl:1"),
      std::string::npos)
      << result.err;
  result = check({"data.final=missing.jsonl"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("data.final is 'missing.jsonl'"), std::string::npos)
      << result.err;
}

TEST(Recipe, CheckComparesThePairsOfSft) {
  TemporaryFolder folder;
  folder.write(
      "s.yaml",
      "name: pairs\noutput: run\nmodel: {path: model.gguf}\n"
      "data: {train: train.jsonl, evaluation: held.jsonl, prompt_template: "
      "\"{post}\", completion_template: \"{summary}\"}\n"
      "sft: {steps: 1}\n");
  write_tiny_model(folder.path() / "model.gguf");  // a folder will do
  folder.write("train.jsonl", "{\"post\": \"a\", \"summary\": \"x\"}\n");
  folder.write("held.jsonl", "{\"post\": \"a\", \"summary\": \"y\"}\n");
  const ProgramResult result =
      run_moft({"recipe", "check", "s.yaml"}, folder.path());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(
      result.err.find("s.yaml: 1 of the 1 prompts of data.evaluation is also"),
      std::string::npos)
      << result.err;
}

TEST(Recipe, AnUnreadableRecipeIsTheCallersFault) {
  TemporaryFolder folder;
  ProgramResult result = run_moft({"recipe", "show", folder.path().string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  EXPECT_EQ(result.out, "");
}

}  // namespace
}  // namespace moft::test
