// `moft reward train` as a user meets it: the examples of docs/rewards.md, a
// run that is stopped and resumed, and what is refused.
#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kClassifiers =
    fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers";

// The yaml blocks of a page's section.
Words examples_of(const std::string& page, const std::string& section) {
  const std::size_t begin = page.find("\n## " + section + "\n");
  const std::string text =
      page.substr(begin, page.find("\n## ", begin + 1) - begin);
  Words blocks;
  std::size_t at = 0;
  while ((at = text.find("```yaml\n", at)) != std::string::npos) {
    const std::size_t first = text.find('\n', at) + 1;
    const std::size_t last = text.find("\n```", first) + 1;
    blocks.push_back(text.substr(first, last - first));
    at = last + 3;
  }
  return blocks;
}

std::string lines_of(const std::vector<Json>& rows) {
  std::string lines;
  for (const Json& row : rows)
    lines += row.dump() + "\n";
  return lines;
}

std::vector<Json> claims() {
  std::vector<Json> rows;
  for (const char* post : {"the bakery", "a library book", "winter", "bread"}) {
    rows.push_back({{"post", post}, {"claim", post}, {"label", "entailed"}});
    rows.push_back({{"post", post}, {"claim", "no"}, {"label", "other"}});
  }
  return rows;
}

std::vector<Json> pairs() {
  std::vector<Json> rows;
  for (const char* word : {"bakery", "book", "winter", "bread", "fan"}) {
    rows.push_back(
        {{"prompt", word},
         {"chosen", std::string("the ") + word},
         {"rejected", "no"}});
  }
  return rows;
}

std::vector<Json> ratings() {
  return {
      {{"text", "bread"}, {"score", 0.5}},
      {{"text", "winter"}, {"score", -1}},
      {{"text", "the bakery"}, {"score", 0.25}}};
}

class RewardTrain : public testing::Test {
 protected:
  RewardTrain() {
    fs::create_directories(folder() / "models");
    copy_base("bert", "all-minilm-l6-v2", "BertModel");
    copy_base("qwen3", "qwen3-0.6b", "Qwen3ForCausalLM");
    fs::copy(kClassifiers / "bert", folder() / "models/nli");
    write("train.jsonl", lines_of(claims()));
    write("heldout.jsonl", lines_of({claims()[0], claims()[1]}));
    write("pairs.jsonl", lines_of(pairs()));
    write("heldout-pairs.jsonl", lines_of({pairs()[0], pairs()[2]}));
    write("rated.jsonl", lines_of(ratings()));
    write("heldout-rated.jsonl", lines_of({ratings()[0]}));
    write("recipe.yaml", recipes().at(0));
  }

  const fs::path& folder() const { return scratch_.path(); }

  void write(const std::string& name, const std::string& text) const {
    write_tiny_text(folder() / name, text);
  }

  // A model as it is without a head.
  void copy_base(
      const std::string& family,
      const std::string& name,
      const std::string& architecture) const {
    const fs::path to = folder() / "models" / name;
    fs::copy(kClassifiers / family, to);
    Json config = Json::parse(read_all(to / "config.json"));
    config["architectures"] = {architecture};
    write_tiny_text(to / "config.json", config.dump());
  }

  static Words recipes() {
    return examples_of(
        read_all(fs::path(MOFT_SOURCE_DIR) / "docs/rewards.md"),
        "Train a reward model");
  }

  Ended train(const Words& more = {}) const {
    return run_program(
        folder(),
        with(
            {"reward", "train", "recipe.yaml", "device=cpu", "threads=1"},
            more));
  }

  // What `moft recipe check` and the command say of a bad recipe.
  std::string problem(const Words& more = {}) const {
    const Ended check =
        run_program(folder(), with({"recipe", "check", "recipe.yaml"}, more));
    EXPECT_EQ(check.code, 2) << check.output;
    const Ended run = train(more);
    EXPECT_EQ(run.code, 2) << run.errors;
    EXPECT_FALSE(fs::exists(folder() / "runs/faithful/metrics.jsonl"));
    return check.errors;
  }

  Scratch scratch_;
};

TEST_F(RewardTrain, TheExamplesOfThePageTrain) {
  const Words examples = recipes();
  ASSERT_EQ(examples.size(), 3U);
  const char* outputs[] = {"faithful", "liked", "clarity"};
  for (std::size_t i = 0; i < examples.size(); ++i) {
    SCOPED_TRACE(examples[i]);
    write("recipe.yaml", examples[i]);
    const Ended check =
        run_program(folder(), {"recipe", "check", "recipe.yaml"});
    EXPECT_EQ(check.code, 0) << check.output << check.errors;
    EXPECT_TRUE(has(check.output + check.errors, ", longest text "));
    const Ended run = train(
        {"reward.steps=3",
         "reward.rows_per_step=2",
         "reward.evaluation.every=2"});
    EXPECT_EQ(run.code, 0) << run.errors;
    const fs::path output = folder() / "runs" / outputs[i];
    const std::string metrics = read_all(output / "metrics.jsonl");
    EXPECT_TRUE(has(metrics, "held_out/loss"));
    EXPECT_EQ(has(metrics, "held_out/accuracy"), i < 2);
    EXPECT_TRUE(has(run.output, (output / "model").string()));
  }
  // What it wrote is what the rewards read.
  write_tiny_task(folder());
  const std::string recipe = read_all(folder() / "recipe.yaml");
  const std::size_t begin = recipe.find("objectives:\n");
  const std::size_t end = recipe.find("conditioning:\n");
  write(
      "recipe.yaml",
      recipe.substr(0, begin) +
          "objectives:\n"
          "  faithful: {classifier: {model: runs/faithful/model, label: "
          "entailed, premise: \"{word}\"}}\n"
          "  liked: {preference: {model: runs/liked/model}}\n"
          "  clarity: {classifier: {model: runs/clarity/model}}\n" +
          recipe.substr(end));
  const Ended check = run_program(folder(), {"recipe", "check", "recipe.yaml"});
  EXPECT_EQ(check.code, 0) << check.output << check.errors;
}

TEST_F(RewardTrain, StoppedAndResumedEndsWithTheSameBits) {
  const Words settings = {
      "reward.epochs=20",
      "reward.rows_per_step=3",
      "reward.checkpoint.every=5"};
  ASSERT_EQ(train(with(settings, {"--output", "straight"})).code, 0);
  const fs::path run = folder() / "run";
  Program first(
      folder(),
      with(
          {"reward", "train", "recipe.yaml", "device=cpu", "threads=1"},
          with(settings, {"--output", "run"})));
  ASSERT_TRUE(first.wait_until(
      [&] { return count_lines(run / "metrics.jsonl") >= 7; }));
  first.send(SIGKILL);
  first.exit_code();
  const Ended rest =
      train(with(settings, {"--output", "run", "--resume", "auto"}));
  EXPECT_EQ(rest.code, 0) << rest.errors;
  for (const char* name : {"model/model.safetensors", "model/config.json"}) {
    EXPECT_EQ(read_all(run / name), read_all(folder() / "straight" / name));
    EXPECT_FALSE(read_all(run / name).empty());
  }
}

TEST_F(RewardTrain, ADecoderIsWrittenWithAPaddingToken) {
  write("recipe.yaml", recipes().at(1));
  Json config =
      Json::parse(read_all(folder() / "models/qwen3-0.6b/config.json"));
  config.erase("pad_token_id");
  write("models/qwen3-0.6b/config.json", config.dump());
  const Ended run = train({"reward.steps=1", "reward.rows_per_step=2"});
  ASSERT_EQ(run.code, 0) << run.errors;
  const fs::path model = folder() / "runs/liked/model";
  EXPECT_TRUE(Json::parse(read_all(model / "config.json"))["pad_token_id"]
                  .is_number_integer());
  EXPECT_TRUE(
      Json::parse(read_all(model / "tokenizer_config.json"))["pad_token"]
          .is_string());
}

TEST_F(RewardTrain, AnEncoderMayNameNoPaddingToken) {
  const fs::path path = folder() / "models/all-minilm-l6-v2/config.json";
  Json config = Json::parse(read_all(path));
  config["pad_token_id"] = nullptr;
  write_tiny_text(path, config.dump());
  const Ended run = train({"reward.steps=1", "reward.rows_per_step=2"});
  EXPECT_EQ(run.code, 0) << run.errors;
}

TEST_F(RewardTrain, BadRowsAreNamed) {
  auto rows = claims();
  rows[2]["label"] = "maybe";
  write("train.jsonl", lines_of(rows));
  EXPECT_TRUE(
      has(problem({"model.path=models/nli"}),
          "train.jsonl:1: the label 'entailed' is not one of the model's: "
          "entailment, neutral, contradiction"));
  EXPECT_TRUE(
      has(problem({"reward.labels=[entailed, other]"}),
          "train.jsonl:3: the label 'maybe' is not one of the model's: "
          "entailed, other"));
  rows = claims();
  rows[3].erase("claim");
  write("train.jsonl", lines_of(rows));
  EXPECT_TRUE(has(problem(), "train.jsonl:4"));
  EXPECT_TRUE(has(problem(), "claim"));
  write("train.jsonl", lines_of({claims()[0], claims()[2]}));
  EXPECT_TRUE(has(problem(), "all rows have the label entailed"));
  write("train.jsonl", "");
  EXPECT_TRUE(has(problem(), "train.jsonl"));
}

TEST_F(RewardTrain, BadSettingsAreNamed) {
  EXPECT_TRUE(
      has(problem({"reward.kind=preference"}),
          "data.premise is given, but reward.kind is preference"));
  EXPECT_TRUE(has(problem({"reward.centring=0.1"}), "reward.centring"));
  EXPECT_TRUE(has(problem({"reward.labels=[one]"}), "reward.labels"));
  EXPECT_TRUE(has(problem({"data.max_tokens=8"}), "train.jsonl:"));
  EXPECT_TRUE(
      has(problem({"reward.lora.rank=2", "reward.lora.layers=90..95"}),
          "reward.lora.layers"));
  EXPECT_TRUE(has(
      problem({"model.path=models/qwen3-0.6b"}), "reads one text, not a pair"));
}

TEST_F(RewardTrain, ALossThatIsNotFiniteStopsTheRun) {
  write("recipe.yaml", recipes().at(2));
  write("rated.jsonl", lines_of({{{"text", "bread"}, {"score", 1e300}}}));
  const Ended run = train({"reward.steps=2", "reward.rows_per_step=1"});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(has(run.errors, "the loss is")) << run.errors;
}

// The commands of recipes/reward-faithful.yaml, on a tiny base.
TEST_F(RewardTrain, TheShippedRecipesFitTheirData) {
  const fs::path source = MOFT_SOURCE_DIR;
  const fs::path script = source / "examples/make_faithful.py";
  const std::string command =
      "cd '" + folder().string() + "' && '" + script.string() + "' faithful";
  if (std::system((command + " > log 2>&1").c_str()) != 0)
    GTEST_SKIP() << "needs Python 3";
  fs::copy_file(source / "recipes/reward-faithful.yaml", folder() / "r.yaml");
  const Ended run = run_program(
      folder(),
      {"reward",
       "train",
       "r.yaml",
       "data.train=faithful/train.jsonl",
       "data.evaluation=faithful/heldout.jsonl",
       "model.path=models/all-minilm-l6-v2",
       "reward.steps=2",
       "reward.schedule.warmup_steps=1",
       "reward.evaluation.rows=8",
       "data.too_long=truncate_right"});
  EXPECT_EQ(run.code, 0) << run.errors;
  const Ended second = run_program(
      folder(),
      {"recipe",
       "check",
       (source / "recipes/summarise-faithful.yaml").string(),
       "data.train=" + (source / "examples/posts/train.jsonl").string(),
       "data.evaluation=" + (source / "examples/posts/heldout.jsonl").string(),
       "data.final=null",
       "policy.model=" + (kClassifiers.parent_path() / "llama_tied").string()});
  // The tiny policy has a tokenizer of another kind; the reward is good.
  EXPECT_FALSE(has(second.errors, "faithful")) << second.errors;
}

}  // namespace
}  // namespace moft::test
