// Run folders as their user meets them: whose files are in them, other
// commands' runs, inputs that changed, runs of earlier versions.
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

Words train(const Words& more = {}) {
  return with({"train", "recipe.yaml", "training.steps=2"}, more);
}

class RunFolder : public testing::Test {
 protected:
  RunFolder() { write_tiny_task(folder()); }

  const fs::path& folder() const { return scratch_.path(); }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((folder() / name).parent_path());
    std::ofstream(folder() / name, std::ios::binary) << text;
  }
  std::string get(const std::string& name) const {
    return read_all(folder() / name);
  }
  void expect_done(const Words& words) const {
    Program program(folder(), words);
    EXPECT_EQ(program.exit_code(), 0) << program.errors();
  }
  void expect_refused(const Words& words, const Words& parts) const {
    Program program(folder(), words);
    EXPECT_EQ(program.exit_code(), 2) << program.errors();
    for (const std::string& part : parts)
      EXPECT_TRUE(has(program.errors(), part)) << program.errors();
  }
  // Changes a value of a JSON file.
  void set(const std::string& file, const std::string& key, double value) {
    auto json = nlohmann::json::parse(get(file));
    json[key] = value;
    put(file, json.dump());
  }
  // A sentence encoder of 40 tokens.
  void copy_encoder() const {
    const fs::path reference = fs::path(MOFT_SOURCE_DIR) / "tests/reference";
    fs::copy(reference / "models/bert_tiny_gelu", folder() / "encoder");
    auto tokenizer = nlohmann::json::parse(
        read_all(reference / "tokenizers/fixtures/bert/tokenizer.json"));
    nlohmann::json vocabulary = nlohmann::json::object();
    for (const auto& [token, id] : tokenizer["model"]["vocab"].items())
      if (id < 40) vocabulary[token] = id;
    tokenizer["model"]["vocab"] = vocabulary;
    put("encoder/tokenizer.json", tokenizer.dump());
  }
  // A recipe of `moft sft` beside recipe.yaml.
  void write_sft_recipe() const {
    put("sft.yaml", R"(format_version: 1
name: tiny-sft
output: run
device: cpu
threads: 1
model:
  path: base
data:
  train: train.jsonl
  evaluation: heldout.jsonl
  prompt_template: "{word} is "
  completion_template: "{word}"
sft:
  steps: 2
  pairs_per_step: 2
  evaluation:
    every: null
  checkpoint:
    every: null
)");
  }

 private:
  Scratch scratch_;
};

TEST_F(RunFolder, ItsKindIsWrittenDown) {
  expect_done(train());
  EXPECT_EQ(
      nlohmann::json::parse(get("run/moft_run.json")).at("kind"), "train");
}

// Either command on a finished run of the other: nothing is removed, whatever
// was asked for short of --overwrite.
TEST_F(RunFolder, AnotherCommandsRunIsNotTouched) {
  write_sft_recipe();
  expect_done({"sft", "sft.yaml"});
  const std::string model = get("run/model/model.safetensors");
  ASSERT_FALSE(model.empty());
  expect_refused(train(), {"holds a run of `moft sft`", "--overwrite"});
  expect_refused(train({"--resume", "auto"}), {"holds a run of `moft sft`"});
  // As today's revision left it: without its kind.
  fs::remove(folder() / "run/moft_run.json");
  expect_refused(train({"--resume", "auto"}), {"holds a run of `moft sft`"});
  EXPECT_EQ(get("run/model/model.safetensors"), model);

  expect_done(train({"--overwrite"}));
  EXPECT_FALSE(fs::exists(folder() / "run/model"));
  const std::string policy = get("run/policy/steering.safetensors");
  expect_refused(
      {"sft", "sft.yaml", "--resume", "auto"}, {"holds a run of `moft train`"});
  EXPECT_EQ(get("run/policy/steering.safetensors"), policy);
}

TEST_F(RunFolder, FilesOfOthersSurviveEveryFlag) {
  const Words names = {
      "run/model/w.bin",
      "run/report/thesis.txt",
      "run/checkpoints/best.pt",
      "run/policy/notes.txt"};
  for (const std::string& name : names)
    put(name, "mine");
  for (const Words& flags :
       {Words{"--resume", "auto"},
        Words{"--overwrite"},
        Words{"--resume", "auto", "training.steps=3"},
        Words{"--overwrite"}}) {
    expect_done(train(flags));
    for (const std::string& name : names)
      EXPECT_EQ(get(name), "mine") << name;
  }
}

TEST_F(RunFolder, AProjectFolderIsNoRun) {
  put("model/config.json", "mine");
  const std::string recipe = get("recipe.yaml");
  for (const Words& flags :
       {Words{}, Words{"--overwrite"}, Words{"--resume", "auto"}}) {
    Words words = train({"--output", "."});
    words.insert(words.end(), flags.begin(), flags.end());
    expect_refused(words, {"recipe.yaml: `moft train` would write over it"});
    EXPECT_EQ(get("recipe.yaml"), recipe);
  }
  write_sft_recipe();
  fs::rename(folder() / "recipe.yaml", folder() / "r.yaml");
  expect_refused({"sft", "sft.yaml", "--output", "."}, {"model: `moft sft`"});
  // With names of its own it may run there.
  expect_done({"train", "r.yaml", "training.steps=2", "--output", "."});
  expect_done(
      {"train", "r.yaml", "training.steps=2", "--output", ".", "--overwrite"});
  EXPECT_EQ(get("model/config.json"), "mine");
  EXPECT_EQ(get("r.yaml"), recipe);
  EXPECT_FALSE(get("base/model.safetensors").empty());
}

TEST_F(RunFolder, OverwriteDoesNotRemoveItsOwnInput) {
  write_sft_recipe();
  expect_done({"sft", "sft.yaml"});
  const std::string model = get("run/model/model.safetensors");
  expect_refused(
      train({"policy.model=run/model", "--overwrite"}),
      {"policy.model", "--overwrite would remove"});
  EXPECT_EQ(get("run/model/model.safetensors"), model);
}

TEST_F(RunFolder, AnEvaluationLeavesFilesOfOthers) {
  expect_done(train());
  put("site/index.html", "my page");
  expect_refused(
      {"evaluate", "run", "--samples", "1", "--output", "site"},
      {"index.html", "choose another --output"});
  EXPECT_EQ(get("site/index.html"), "my page");
}

// Anything that a result depends on: configuration, end tokens, tokenizer.
TEST_F(RunFolder, ResumingRefusesAnotherConfigurationOrTokenizer) {
  expect_done(train());
  const Words more = train({"training.steps=3", "--resume", "auto"});
  const std::string config = get("base/config.json");
  set("base/config.json", "rope_theta", 100);
  expect_refused(more, {"base config", "policy.start: "});
  put("base/config.json", config);
  set("base/config.json", "rms_norm_eps", 0.1);
  expect_refused(more, {"base config"});
  put("base/config.json", config);
  put("base/generation_config.json", R"({"eos_token_id": 3})");
  expect_refused(more, {"base end tokens"});
  fs::remove(folder() / "base/generation_config.json");
  const std::string tokenizer = get("base/tokenizer.json");
  put("base/tokenizer.json", tokenizer + "\n");
  expect_refused(more, {"base tokenizer.json"});
  put("base/tokenizer.json", tokenizer);
  put("base/tokenizer_config.json", "{}");
  expect_refused(more, {"base tokenizer_config.json", "it is new"});
  fs::remove(folder() / "base/tokenizer_config.json");
  set("base/config.json", "transformers_version", 9);  // changes no number
  expect_done(more);
}

TEST_F(RunFolder, ResumingRefusesAnotherValueModelOrEncoder) {
  fs::copy(folder() / "base", folder() / "value");
  copy_encoder();
  const std::string encoder = get("encoder/config.json");
  for (const char* file : {"train.jsonl", "heldout.jsonl"}) {
    put(file,
        R"({"word": ")" + std::string(file).substr(0, 3) +
            R"(", "other": "a b"})"
            "\n");
  }
  const Words more = {
      "training.baseline=value",
      "training.value.model=value",
      "objectives.b.regex=null",
      "objectives.b.similarity.model=encoder",
      "objectives.b.similarity.field=other"};
  expect_done(train(more));
  Words resume = more;
  resume.insert(resume.end(), {"training.steps=3", "--resume", "auto"});
  set("value/config.json", "rope_theta", 100);
  expect_refused(train(resume), {"value config"});
  fs::remove(folder() / "value/config.json");
  fs::copy_file(folder() / "base/config.json", folder() / "value/config.json");
  set("encoder/config.json", "layer_norm_eps", 0.1);
  expect_refused(train(resume), {"objectives.b.similarity.model config.json"});
  put("encoder/config.json", encoder);
  put("encoder/tokenizer.json", get("encoder/tokenizer.json") + "\n");
  expect_refused(
      train(resume), {"objectives.b.similarity.model tokenizer.json"});
}

TEST_F(RunFolder, ABaseWrittenOverWhileItTrainsStopsTheRun) {
  const fs::path run = folder() / "run";
  Program program(folder(), train({"training.steps=100000"}));
  ASSERT_TRUE(program.wait_until(
      [&] { return count_lines(run / "metrics.jsonl") >= 2; }));
  std::string bytes = get("base/model.safetensors");
  bytes.at(bytes.size() - 3) ^= 1;
  put("base/model.safetensors", bytes);
  EXPECT_EQ(program.exit_code(), 1);
  EXPECT_TRUE(has(program.errors(), "was changed while this run used it"))
      << program.errors();
  EXPECT_FALSE(fs::exists(run / "policy"));
  bytes.at(bytes.size() - 3) ^= 1;
  put("base/model.safetensors", bytes);
  const auto steps = count_lines(run / "metrics.jsonl");
  expect_done(train(
      {"training.steps=" + std::to_string(steps + 1), "--resume", "auto"}));
  EXPECT_EQ(count_lines(run / "metrics.jsonl"), steps + 1);
}

TEST_F(RunFolder, AnAppendedDataFileHasACure) {
  expect_done(train());
  put("train.jsonl", get("train.jsonl") + "{\"word\": \"ten\"}\n");
  expect_refused(
      train({"training.steps=3", "--resume", "auto"}),
      {"data.train", "start from the trained weights", "policy.start: "});
}

TEST_F(RunFolder, ABaseWrittenOverAfterTrainingIsRefused) {
  expect_done(train());
  const Words generate = {
      "generate",
      "run",
      "--weights",
      "a=0.5,b=0.5",
      "--prompt",
      "one",
      "--max-new-tokens",
      "3"};
  expect_done(generate);
  std::string bytes = get("base/model.safetensors");
  bytes.at(bytes.size() - 3) ^= 1;
  put("base/model.safetensors", bytes);  // in place
  expect_refused(generate, {"is not the base that this policy was trained on"});
}

TEST_F(RunFolder, ADamagedCheckpointIsLeftForTheOneBefore) {
  expect_done(train({"training.steps=3"}));
  fs::resize_file(
      folder() / "run/checkpoints/step-3/optimizer.safetensors", 300);
  Program program(folder(), train({"training.steps=4", "--resume", "auto"}));
  EXPECT_EQ(program.exit_code(), 0) << program.errors();
  EXPECT_TRUE(has(program.errors(), "step-3 is damaged")) << program.errors();
  EXPECT_TRUE(has(program.errors(), "resumed     after step 2"))
      << program.errors();
  EXPECT_EQ(count_lines(folder() / "run/metrics.jsonl"), 4U);
  // With little of a checkpoint in it, moft does not know it for its own.
  for (const char* name : {"state.json", "steering.safetensors"})
    fs::remove(folder() / "run/checkpoints/step-4" / name);
  expect_refused(
      train({"training.steps=5", "--resume", "auto"}),
      {"checkpoints/step-4", "move it away"});
}

TEST_F(RunFolder, AClosedTerminalSavesLikeAnInterrupt) {
  const fs::path run = folder() / "run";
  Program program(
      folder(),
      train({"training.steps=100000", "training.checkpoint.every=null"}));
  ASSERT_TRUE(program.wait_until(
      [&] { return count_lines(run / "metrics.jsonl") >= 2; }));
  program.send(SIGHUP);
  program.send(SIGHUP);  // from the kernel and from the shell
  EXPECT_EQ(program.exit_code(), 129) << program.errors();
  const auto steps = count_lines(run / "metrics.jsonl");
  EXPECT_EQ(
      names_in(run / "checkpoints"), Words{"step-" + std::to_string(steps)});
  expect_done(train(
      {"training.steps=" + std::to_string(steps + 1), "--resume", "auto"}));
  EXPECT_EQ(count_lines(run / "metrics.jsonl"), steps + 1);
}

TEST_F(RunFolder, AClosedPipeDoesNotEndARun) {
  const std::string command = "cd '" + folder().string() + "' && { '" +
                              MOFT_BINARY_DIR
                              "/bin/moft' train recipe.yaml "
                              "training.steps=12 2>&1; echo $? > code; } | "
                              "head -n 1 > first";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(count_lines(folder() / "first"), 1U);
  EXPECT_EQ(get("code"), "0\n");
  EXPECT_EQ(count_lines(folder() / "run/metrics.jsonl"), 12U);
  EXPECT_TRUE(fs::exists(folder() / "run/policy/moft.json"));
}

// The log lines of a run without a terminal must not end up in its files.
TEST_F(RunFolder, ClosedStreamsDoNotReachTheFiles) {
  const std::string command = "cd '" + folder().string() + "' && '" +
                              MOFT_BINARY_DIR
                              "/bin/moft' train recipe.yaml "
                              "training.steps=3 <&- >&- 2>&-";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(count_lines(folder() / "run/metrics.jsonl"), 3U);
  EXPECT_EQ(get("run/metrics.jsonl").find("step="), std::string::npos);
  expect_done(train({"training.steps=4", "--resume", "auto"}));
}

// A copy of a run is a fork: --resume continues at the checkpoint.
TEST_F(RunFolder, AResumeIntoAnotherOutputIsRefused) {
  expect_done(train({"training.steps=3", "training.checkpoint.every=1"}));
  expect_refused(
      train({"--resume", "run/checkpoints/step-2", "--output", "fork"}),
      {"goes on in", "--output is 'fork'"});
  EXPECT_TRUE(fs::exists(folder() / "run/checkpoints/step-3"));
  EXPECT_FALSE(fs::exists(folder() / "fork"));
}

// What is wrong with the new run is said before the old one is removed.
TEST_F(RunFolder, OverwriteRemovesNothingForARunThatCannotBegin) {
  expect_done(train());
  fs::copy(folder() / "run/policy", folder() / "damaged");
  fs::resize_file(folder() / "damaged/steering.safetensors", 100);
  expect_refused(train({"--overwrite", "policy.start=damaged"}), {"truncated"});
  EXPECT_TRUE(fs::exists(folder() / "run/policy/moft.json"));
  EXPECT_TRUE(fs::exists(folder() / "run/metrics.jsonl"));
  expect_refused(train({"--overwrite", "output=base"}), {"policy.model"});
  EXPECT_TRUE(fs::exists(folder() / "base/model.safetensors"));
}

TEST_F(RunFolder, ACheckpointThatLostItsStateIsSetAside) {
  expect_done(train({"training.steps=3", "training.checkpoint.every=1"}));
  fs::remove(folder() / "run/checkpoints/step-3/state.json");
  fs::remove_all(folder() / "run/policy");
  expect_done(train({"training.steps=3", "--resume", "auto"}));
  EXPECT_TRUE(fs::exists(folder() / "run/checkpoints/step-3-damaged"));
  EXPECT_TRUE(fs::exists(folder() / "run/policy/moft.json"));
}

// tests/reference/runs/make_first_format.py
class FirstFormat : public RunFolder {
 protected:
  FirstFormat() {
    fs::remove_all(folder());
    fs::copy(
        fs::path(MOFT_SOURCE_DIR) / "tests/reference/runs/first_format",
        folder(),
        fs::copy_options::recursive);
    fs::create_directory(folder() / "base");
    for (const char* name :
         {"config.json", "model.safetensors", "tokenizer.json"}) {
      fs::copy_file(folder() / "run/policy" / name, folder() / "base" / name);
    }
  }
};

TEST_F(FirstFormat, ItsPolicyScoresTheSame) {
  const Words score = {
      "score", "run", "--weights", "a=0.25,b=0.75", "--input", "pairs.jsonl"};
  Program program(folder(), score);
  ASSERT_EQ(program.exit_code(), 0) << program.errors();
  EXPECT_NEAR(
      nlohmann::json::parse(program.output()).at("log_prob").get<double>(),
      nlohmann::json::parse(get("score.json")).at("log_prob").get<double>(),
      1e-5);
  std::string bytes = get("run/policy/model.safetensors");
  bytes.at(bytes.size() - 3) ^= 1;
  put("run/policy/model.safetensors", bytes);
  expect_refused(score, {"is not the base", "moft.json"});
}

TEST_F(FirstFormat, ItsRunIsResumed) {
  expect_refused(
      {"train", "recipe.yaml"}, {"holds a run already (of `moft train`)"});
  Program program(
      folder(),
      {"train", "recipe.yaml", "training.steps=3", "--resume", "auto"});
  ASSERT_EQ(program.exit_code(), 0) << program.errors();
  EXPECT_TRUE(has(program.errors(), "resumed     after step 2"));
  EXPECT_TRUE(has(program.errors(), "earlier version of moft"))
      << program.errors();
  EXPECT_EQ(count_lines(folder() / "run/metrics.jsonl"), 3U);
  // What it did record is compared.
  put("train.jsonl", get("train.jsonl") + "{\"word\": \"ten\"}\n");
  expect_refused(
      {"train", "recipe.yaml", "training.steps=4", "--resume", "auto"},
      {"data.train"});
}

TEST_F(FirstFormat, ItsRunIsOverwrittenWhenAsked) {
  put("run/notes.txt", "mine");
  expect_done({"train", "recipe.yaml", "--overwrite"});
  EXPECT_EQ(get("run/notes.txt"), "mine");
  EXPECT_EQ(count_lines(folder() / "run/metrics.jsonl"), 2U);
}

}  // namespace
}  // namespace moft::test
