// Adapters of other programs on the real program: as flags, in a recipe, as a
// soup, and out again.
#include <filesystem>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_adapter.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

class Adapters : public testing::Test {
 protected:
  Adapters() {
    write_tiny_task(folder());
    write_adapter("helpful", 2, 4.0, 1);
    write_adapter("harmless", 3, 1.5, 2);
    write_tiny_text(
        folder() / "pairs.jsonl",
        R"({"prompt": "one is ", "completion": "abc"})"
        "\n"
        R"({"prompt": "two", "completion": " z."})"
        "\n");
  }

  const fs::path& folder() const { return scratch_.path(); }
  void write_adapter(
      const std::string& name,
      std::int64_t rank,
      double alpha,
      std::uint64_t seed) const {
    TinyAdapter adapter;
    adapter.rank = rank;
    adapter.alpha = alpha;
    adapter.seed = seed;
    adapter.model.width = 32;
    write_tiny_adapter(folder() / name, adapter);
  }

  Ended moft(const Words& words) const { return run_program(folder(), words); }
  Ended good(const Words& words) const {
    Ended ended = moft(words);
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return ended;
  }
  std::string refusal(const Words& words) const {
    const Ended ended = moft(words);
    EXPECT_EQ(ended.code, 2) << ended.output;
    return ended.errors;
  }

  // token_log_probs of pairs.jsonl under these arguments.
  std::vector<double> scores(const Words& policy) const {
    const Ended ended =
        good(with(with({"score"}, policy), {"--input", "pairs.jsonl"}));
    std::vector<double> all;
    std::istringstream lines(ended.output);
    for (std::string line; std::getline(lines, line);) {
      const auto score = nlohmann::json::parse(line);
      for (const auto& value : score.at("token_log_probs"))
        all.push_back(value.get<double>());
    }
    EXPECT_GE(all.size(), 6u);
    return all;
  }
  static double largest_gap(
      const std::vector<double>& a, const std::vector<double>& b) {
    EXPECT_EQ(a.size(), b.size());
    double gap = 0;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
      gap = std::max(gap, std::abs(a[i] - b[i]));
    return gap;
  }
  void make_soup() const { make_soup_at("soup"); }
  void make_soup_at(const std::string& run) const {
    good(
        {"soup",
         "--model",
         "base",
         "--adapter",
         "helpful=helpful",
         "--adapter",
         "harmless=harmless",
         "--range",
         "harmless=-2,3",
         "--to",
         run});
  }

 private:
  Scratch scratch_;
};

// The whole circle: a policy of two adapters goes out in every format and has
// the same log-probabilities when it comes back.
TEST_F(Adapters, ASoupGoesOutAndComesBack) {
  make_soup();
  const Words mixed = {"soup", "--weights", "helpful=0.25,harmless=0.75"};
  const auto wanted = scores(mixed);
  EXPECT_GT(largest_gap(wanted, scores({"base"})), 0.01);
  // At a corner it is the adapter.
  EXPECT_LT(
      largest_gap(
          scores({"soup", "--weights", "helpful=1,harmless=0"}),
          scores({"base", "--adapter", "helpful"})),
      1e-5);
  EXPECT_LT(
      largest_gap(
          scores({"soup", "--weights", "helpful=0,harmless=1"}),
          scores({"base", "--adapter", "harmless"})),
      1e-5);
  const auto out = [&](const Words& more) {
    good(with(with({"export"}, mixed), more));
  };
  out({"--to", "models/hf"});
  EXPECT_LT(largest_gap(scores({"models/hf"}), wanted), 1e-5);
  out({"--format", "peft", "--to", "peft"});
  EXPECT_LT(largest_gap(scores({"base", "--adapter", "peft"}), wanted), 1e-5);
  out({"--format", "gguf", "--to", "f32.gguf"});
  EXPECT_LT(largest_gap(scores({"f32.gguf"}), wanted), 1e-5);
  out({"--format", "gguf", "--dtype", "q8_0", "--to", "q8.gguf"});
  EXPECT_LT(largest_gap(scores({"q8.gguf"}), wanted), 0.3);
  out({"--format", "gguf-adapter", "--to", "ggufs/of/adapter.gguf"});
  EXPECT_TRUE(
      has(refusal({"generate", "ggufs/of/adapter.gguf", "--prompt", "a"}),
          "is a GGUF of type 'adapter'"));
  // Adapters fit the base as a GGUF too.
  good({"export", "base", "--format", "gguf", "--to", "base.gguf"});
  EXPECT_LT(
      largest_gap(scores({"base.gguf", "--adapter", "peft"}), wanted), 1e-5);
  // A soup of what came out is the soup.
  good({"export", "soup", "--format", "peft", "--to", "each"});
  EXPECT_EQ(
      names_in(folder() / "each"),
      (std::vector<std::string>{"harmless", "helpful"}));
  good(
      {"soup",
       "--model",
       "base",
       "--adapter",
       "helpful=each/helpful",
       "harmless=each/harmless",
       "--to",
       "again"});
  EXPECT_LT(
      largest_gap(
          scores({"again", "--weights", "helpful=0.25,harmless=0.75"}), wanted),
      1e-5);
  good({"export", "soup", "--format", "gguf-adapter", "--to", "each-gguf"});
  EXPECT_EQ(
      names_in(folder() / "each-gguf"),
      (std::vector<std::string>{"harmless.gguf", "helpful.gguf"}));
}

TEST_F(Adapters, ASoupIsARunThatAnswers) {
  make_soup();
  const auto definition =
      nlohmann::json::parse(read_all(folder() / "soup/policy/moft.json"));
  // By name, as in policies of recipes.
  EXPECT_EQ(definition["objectives"][1]["name"], "helpful");
  EXPECT_EQ(definition["objectives"][1]["range"], (std::vector{0.0, 1.0}));
  EXPECT_EQ(definition["objectives"][0]["range"], (std::vector{-2.0, 3.0}));
  EXPECT_EQ(definition["conditioning"]["lora"]["rank"], 3);
  const Ended answered = good(
      {"generate",
       "soup",
       "--weights",
       "helpful=0.5,harmless=0.5",
       "--prompt",
       "one",
       "--max-new-tokens",
       "4"});
  EXPECT_FALSE(answered.output.empty());
  // alpha is the amount of the base.
  EXPECT_LT(
      largest_gap(
          scores(
              {"soup",
               "--weights",
               "helpful=0.5,harmless=0.5",
               "--alpha",
               "1"}),
          scores({"base"})),
      1e-5);
  EXPECT_TRUE(
      has(refusal(
              {"soup",
               "--model",
               "base",
               "--adapter",
               "helpful=helpful",
               "--to",
               "soup"}),
          "holds a run already"));
}

TEST_F(Adapters, AskedForWronglyNothingIsWritten) {
  const Words model = {"soup", "--model", "base", "--to", "out"};
  const auto said = [&](const Words& more) {
    const std::string errors = refusal(with(model, more));
    EXPECT_FALSE(fs::exists(folder() / "out"));
    return errors;
  };
  const auto usage = [](const std::string& wrong) {
    return "moft soup: " + wrong + "; 'moft help soup' shows the options";
  };
  EXPECT_TRUE(
      has(said({}),
          usage("--model and --adapter belong together; give both, or RUNS")));
  EXPECT_TRUE(has(said({"--adapter", "helpful"}), "an equals sign"));
  EXPECT_TRUE(has(said({"--adapter", "a=helpful", "a=harmless"}), "'a' twice"));
  EXPECT_TRUE(has(said({"--adapter", "a=base"}), "is not a PEFT adapter"));
  EXPECT_TRUE(
      has(said({"--adapter", "a=helpful", "--range", "b=0,1"}),
          "--range is 'b=0,1'"));
  EXPECT_TRUE(has(
      said({"--adapter", "a=helpful", "--range", "a=1,1"}), "which differ"));
  EXPECT_TRUE(
      has(refusal({"soup", "--to", "out"}),
          usage("RUNS is required; give either RUNS or --model and "
                "--adapter")));
  EXPECT_TRUE(
      has(said({"run"}),
          usage("RUNS and adapters exclude each other; give either RUNS or "
                "--model and --adapter")));
  EXPECT_TRUE(
      has(refusal({"export", "base", "--format", "onnx", "--to", "out"}),
          "give hf, peft, gguf or gguf-adapter"));
  EXPECT_TRUE(
      has(refusal({"export", "base", "--dtype", "q8_0", "--to", "out"}),
          "--format is hf"));
  EXPECT_TRUE(
      has(refusal({"export", "base", "--format", "peft", "--to", "out"}),
          "a plain model has no adapter"));
  // The adapter where the model should be.
  EXPECT_TRUE(
      has(refusal({"generate", "helpful", "--prompt", "a"}), "--adapter"));
}

// The base and its adapter together are the reference, and stay so.
TEST_F(Adapters, ARecipeTrainsOnABaseWithAnAdapter) {
  const Words train = {
      "train", "recipe.yaml", "policy.adapter=helpful", "training.steps=2"};
  good(train);
  const auto reference = scores({"run", "--reference"});
  EXPECT_LT(
      largest_gap(reference, scores({"base", "--adapter", "helpful"})), 1e-5);
  good({"export", "run", "--reference", "--to", "reference"});
  EXPECT_LT(largest_gap(scores({"reference"}), reference), 1e-5);
  // Resumed with the adapter only, and with the same one.
  const Words more = {"training.steps=3", "--resume", "auto"};
  EXPECT_TRUE(
      has(refusal(with({"train", "recipe.yaml"}, more)), "policy.adapter"));
  write_adapter("helpful", 2, 4.0, 9);
  EXPECT_TRUE(has(refusal(with(train, more)), "adapter_model.safetensors"));
  write_adapter("helpful", 2, 4.0, 1);
  good(with(train, more));
  EXPECT_LT(largest_gap(scores({"run", "--reference"}), reference), 1e-5);
  EXPECT_TRUE(
      has(refusal(
              {"score",
               "run",
               "--adapter",
               "helpful",
               "--reference",
               "--input",
               "pairs.jsonl"}),
          "is a trained policy, into which no adapter can be merged"));
}

TEST_F(Adapters, ARecipeStartsFromOneAdapterForEachObjective) {
  const Words train = {
      "train",
      "recipe.yaml",
      "conditioning.steered_set=lora",
      "conditioning.lora.rank=4",
      "conditioning.lora.modules=[q,v]",
      "training.optimizer.learning_rate=1e-300",
      "training.steps=1",
      "policy.start={a: helpful, b: harmless}"};
  const Ended trained = good(train);
  EXPECT_TRUE(has(trained.errors, "start       a from the adapter "))
      << trained.errors;
  EXPECT_LT(
      largest_gap(
          scores({"run", "--weights", "a=1,b=0"}),
          scores({"base", "--adapter", "helpful"})),
      1e-5);
  EXPECT_LT(
      largest_gap(
          scores({"run", "--weights", "a=0,b=1"}),
          scores({"base", "--adapter", "harmless"})),
      1e-5);
  EXPECT_TRUE(
      has(read_all(folder() / "run/recipe.yaml"),
          "  start:\n    a: " + (folder() / "helpful").string()));
  good(with(train, {"training.steps=2", "--resume", "auto"}));
  const auto said = [&](const std::string& more) {
    return refusal(with(train, {more, "--output", "other"}));
  };
  EXPECT_TRUE(has(said("policy.start.b=base"), "is not a PEFT adapter"));
  EXPECT_TRUE(has(said("policy.start={c: helpful}"), "'c', which is not"));
  EXPECT_TRUE(has(said("conditioning.lora.rank=2"), "has rank 3"));
  EXPECT_TRUE(has(said("conditioning.lora.modules=[q]"), "lora.modules"));
  EXPECT_TRUE(
      has(said("conditioning.steered_set=full"), "steered_set is full"));
  EXPECT_TRUE(has(said("policy.start=helpful"), "adapters by objective"));
}

// The soup of two adapters is the policy that a recipe starts from them; an
// evaluation of both finds the same front.
TEST_F(Adapters, ASoupIsMeasuredByARecipe) {
  good(
      {"soup",
       "--model",
       "base",
       "--prompt-template",
       "{word} is ",
       "--adapter",
       "b=harmless",
       "a=helpful",
       "--to",
       "soup"});
  good(
      {"train",
       "recipe.yaml",
       "conditioning.steered_set=lora",
       "conditioning.lora.rank=4",
       "conditioning.lora.modules=[q,v]",
       "conditioning.alpha_min=0",
       "conditioning.f_mix=linear",
       "training.optimizer.learning_rate=1e-300",
       "training.steps=1",
       "policy.start={a: helpful, b: harmless}"});
  const Words few = {"--weightings", "3", "--samples", "2", "--alpha", "0"};
  const auto measured = [&](const Words& words) {
    good(with(with({"evaluate"}, words), with(few, {"--output", "out"})));
    const auto report =
        nlohmann::json::parse(read_all(folder() / "out/report.json"));
    fs::remove_all(folder() / "out");
    return report;
  };
  const auto together = measured({"run", "--baseline", "soup"});
  const auto& points = together.at("points");
  EXPECT_EQ(points.size(), 3u);
  EXPECT_NE(points[0].at("kl").at("mean"), points[2].at("kl").at("mean"));
  const auto& other = together.at("baselines").at(0).at("points");
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(other.at(i).at("raw_rewards"), points[i].at("raw_rewards"));
    EXPECT_EQ(other.at(i).at("words"), points[i].at("words"));
    EXPECT_NEAR(
        other.at(i).at("kl").at("mean").get<double>(),
        points[i].at("kl").at("mean").get<double>(),
        1e-5);
  }
  const auto alone = measured({"soup", "--recipe", "recipe.yaml"});
  EXPECT_EQ(alone.at("points")[2].at("raw_rewards"), other[2]["raw_rewards"]);
  EXPECT_EQ(alone.at("provenance").at("training steps"), "not known");
  EXPECT_TRUE(has(refusal({"evaluate", "soup"}), "--recipe RECIPE"));
  EXPECT_TRUE(
      has(refusal({"evaluate", "run", "--recipe", "recipe.yaml"}),
          "leave out --recipe"));
  make_soup_at("named");
  EXPECT_TRUE(
      has(refusal({"evaluate", "named", "--recipe", "recipe.yaml"}),
          "objectives are harmless, helpful, and those of recipe tiny are a, "
          "b"));
}

// The model that is finetuned is the base with its adapter.
TEST_F(Adapters, ABaseWithAnAdapterIsFinetuned) {
  write_tiny_text(folder() / "sft.yaml", R"(format_version: 1
name: more
output: run
device: cpu
threads: 1
model: {path: base, adapter: helpful}
data: {train: pairs.jsonl, evaluation: held.jsonl}
sft: {steps: 1, pairs_per_step: 1, optimizer: {learning_rate: 1e-300}}
)");
  write_tiny_text(
      folder() / "held.jsonl",
      R"({"prompt": "six", "completion": " y."})"
      "\n");
  good({"sft", "sft.yaml"});
  EXPECT_LT(
      largest_gap(
          scores({"run/model"}), scores({"base", "--adapter", "helpful"})),
      1e-5);
  const Words more = {"sft", "sft.yaml", "sft.steps=2", "--resume", "auto"};
  EXPECT_TRUE(
      has(refusal(with(more, {"model.adapter=null"})), "model.adapter"));
  EXPECT_TRUE(
      has(refusal({"sft", "sft.yaml", "model.path=null", "--output", "other"}),
          "path"));
  EXPECT_TRUE(has(
      refusal({"sft", "sft.yaml", "policy.adapter=helpful"}), "model.adapter"));
  good(more);
}

}  // namespace
}  // namespace moft::test
