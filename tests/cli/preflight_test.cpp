// `moft recipe check` as a look ahead: what it finds, in one go.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/settings_yaml.h"

#include "tests/cli/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

using Words = std::vector<std::string>;

// The tiny model has a context of 64 and a token per character.
const std::string kGood =
    "name: small\n"
    "output: run\n"
    "device: cpu\n"
    "policy: {model: base}\n"
    "data: {train: train.jsonl, evaluation: held.jsonl, prompt_template: "
    "\"{post}.\"}\n"
    "objectives:\n"
    "  short: {length: {full_at: 5, zero_at: 20}}\n"
    "  polite: {regex: {pattern: please}}\n"
    "training: {steps: 2, max_new_tokens: 4, prompts_per_step: 2}\n";

std::string post(const std::string& text) {
  return "{\"post\": \"" + text + "\"}\n";
}

class Preflight : public testing::Test {
 protected:
  Preflight() {
    write_tiny_model(folder_.path() / "base");
    folder_.write("r.yaml", kGood);
    folder_.write("train.jsonl", post("a") + post("bcd"));
    folder_.write("held.jsonl", post("e"));
  }

  ProgramResult moft(const std::string& command, const Words& more = {}) const {
    Words words = {"r.yaml"};
    words.insert(words.end(), more.begin(), more.end());
    if (command == "check" || command == "show")
      words.insert(words.begin(), "recipe");
    words.insert(
        words.begin() + (command == "check" || command == "show" ? 1 : 0),
        command);
    return run_moft(words, folder_.path());
  }

  // The problems that `recipe check` lists.
  std::string problems(const Words& more) const {
    const ProgramResult result = moft("check", more);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_EQ(result.out.find("good"), std::string::npos);
    return result.err;
  }

  void has(const std::string& text, const std::string& part) const {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  TemporaryFolder folder_;
};

TEST_F(Preflight, SaysWhatItLookedAt) {
  const ProgramResult result = moft("check");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  has(result.out, "r.yaml: good; 2 objectives, 2 and 1 examples\n");
  has(result.out, "model       llama, ");
  has(result.out, "context of 64 tokens");
  has(result.out, "end tokens  '<end>'");
  has(result.out,
      "train       2 examples from 1 file, longest prompt 4 tokens");
  has(result.out, "disk        up to ");
}

TEST_F(Preflight, FindsAModelThatCannotRun) {
  const std::string config = read_file(folder_.path() / "base/config.json");
  std::string other = config;
  other.replace(other.find("\"llama\""), 7, "\"mamba\"");
  folder_.write("base/config.json", other);
  has(problems({}), "mamba");
  other = config;
  other.replace(other.find("\"eos_token_id\""), 14, "\"no_token_id_\"");
  folder_.write("base/config.json", other);
  has(problems({}), "the model names no end token");
  folder_.write("base/config.json", config);
  folder_.write("base/model.safetensors", "short");
  has(problems({}), "model.safetensors");
}

// A token that was added to the tokenizer without a row in the model.
TEST_F(Preflight, FindsPromptsThatTheModelCannotEmbed) {
  std::string tokenizer = read_file(folder_.path() / "base/tokenizer.json");
  const std::string added = "\"added_tokens\":[";
  tokenizer.insert(
      tokenizer.find(added) + added.size(),
      "{\"id\":29,\"content\":\"<tool>\",\"single_word\":false,\"lstrip\":"
      "false,\"rstrip\":false,\"normalized\":false,\"special\":true},");
  folder_.write("base/tokenizer.json", tokenizer);
  const ProgramResult unused = moft("check");
  EXPECT_EQ(unused.exit_code, 0) << unused.err;
  has(unused.err,
      "warning: the tokenizer has 30 tokens but the model embeds 29");
  has(problems({"data.prompt_template='{post}<tool>'"}),
      "train.jsonl:1: the prompt holds token 29, but the model embeds 29");
}

TEST_F(Preflight, MeasuresEveryPromptAgainstTheContext) {
  folder_.write("train.jsonl", post("a") + post(std::string(60, 'b')));
  const std::string found = problems({});
  has(found,
      "train.jsonl:2: the prompt has 61 tokens, which with "
      "training.max_new_tokens = 4 are 65, more than the model's 64");
  has(problems({"data.max_prompt_tokens=20"}),
      "train.jsonl:2: the prompt has 61 tokens, more than "
      "data.max_prompt_tokens = 20");
  has(problems({"training.max_new_tokens=500"}),
      "training.max_new_tokens is 500, which leaves no room");
  const ProgramResult skipped = moft("check", {"data.too_long=skip"});
  EXPECT_EQ(skipped.exit_code, 0) << skipped.err;
  has(skipped.out, "2 objectives, 1 and 1 examples");
  has(skipped.out, "1 skipped, too long: train.jsonl:2");
  // Held-out prompts too.
  folder_.write("train.jsonl", post("a"));
  folder_.write("held.jsonl", post(std::string(60, 'b')));
  has(problems({}), "held.jsonl:1: the prompt has 61 tokens");
}

TEST_F(Preflight, ListsAllProblemsAtOnce) {
  folder_.write("train.jsonl", post("a") + "{\"pots\": \"b\"}\n");
  folder_.write("held.jsonl", "post,id\n");
  const std::string found = problems(
      {"objectives.sim={similarity: {model: base, field: post}}",
       "conditioning.lora.layers=7..9"});
  has(found, "train.jsonl:2: ");
  has(found, "held.jsonl: is a table with commas (CSV)");
  has(found, "base/config.json");
  has(found, "conditioning.lora.layers");
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 4) << found;
}

// `train` looks before it touches its output.
TEST_F(Preflight, TrainLooksFirst) {
  folder_.write("train.jsonl", post("a") + post(std::string(90, 'b')));
  folder_.write("run/mine.txt", "mine");
  const ProgramResult result = moft("train", {"--overwrite"});
  EXPECT_EQ(result.exit_code, 2);
  has(result.err, "train.jsonl:2: the prompt has 91 tokens");
  EXPECT_EQ(read_file(folder_.path() / "run/mine.txt"), "mine");
}

TEST_F(Preflight, TrainingSkipsAndCutsWhatIsTooLong) {
  folder_.write(
      "train.jsonl",
      post("a") + post(std::string(90, 'b') + "end") + post("c"));
  ProgramResult result = moft("train", {"data.too_long=skip"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  has(result.err, "1 skipped, too long: ");
  has(result.err, "train.jsonl:2");
  result = moft(
      "train",
      {"data.too_long=truncate_left",
       "data.max_prompt_tokens=6",
       "data.shuffle=false",
       "--output",
       "cut"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  has(result.err, "1 cut, too long: ");
  has(read_file(folder_.path() / "cut/samples.jsonl"), "\"bbend.\"");
}

TEST_F(Preflight, EpochsBecomeSteps) {
  std::string lines;
  for (const char* word : {"a", "b", "c", "d", "e"})
    lines += post(word);
  folder_.write("train.jsonl", lines + post(std::string(90, 'x')));
  const Words words = {"data.too_long=skip", "training.epochs=2"};
  ProgramResult result = moft("train", words);  // 2 x 5 / 2
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string metrics = read_file(folder_.path() / "run/metrics.jsonl");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 5);
  const std::string saved = read_file(folder_.path() / "run/recipe.yaml");
  has(saved, "  steps: 5\n");
  has(saved, "  epochs: null\n");
  // More epochs continue from there.
  result = moft(
      "train", {"data.too_long=skip", "training.epochs=3", "--resume", "auto"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string more = read_file(folder_.path() / "run/metrics.jsonl");
  EXPECT_EQ(std::count(more.begin(), more.end(), '\n'), 8);

  has(moft("check", {"data.too_long=skip", "training.epochs=0.1"}).out,
      "steps       1, for 0.1 epochs");
  // The later of the two counts; one source gives one of them.
  EXPECT_EQ(
      moft("show", {"training.epochs=2"}).out.find("\n  steps:"),
      std::string::npos);
  has(moft("show", {"training.epochs=2", "training.steps=9"}).out,
      "epochs: null");
  folder_.write(
      "r.yaml",
      kGood.substr(0, kGood.find("training:")) +
          "training: {steps: 2, epochs: 1}\n");
  has(moft("show").err,
      "r.yaml: training.steps and training.epochs are both given; give one of "
      "them");
}

TEST_F(Preflight, FilesMayBeListsPatternsAndVariables) {
  folder_.write("parts/b.jsonl", post("b"));
  folder_.write("parts/a10.jsonl", post("c") + post("d"));
  has(moft("check", {"data.train=parts/*.jsonl"}).out, "3 and 1 examples");
  has(moft("check", {"data.train=[train.jsonl, parts/b.jsonl]"}).out,
      "3 and 1 examples");
  has(problems({"data.train=nothing/*.jsonl"}), "matches no file");
  has(problems({"data.train=[parts/*.jsonl, parts/b.jsonl]"}), "twice");
  ::setenv("MOFT_TEST_PARTS", (folder_.path() / "parts").c_str(), 1);
  has(moft("check", {"data.train=${MOFT_TEST_PARTS}/b.jsonl"}).out,
      "1 and 1 examples");
  has(problems({"data.train=$MOFT_TEST_UNSET/b.jsonl"}),
      "data.train is '$MOFT_TEST_UNSET/b.jsonl', but the environment variable "
      "MOFT_TEST_UNSET is not set");
  // The relative order of files is the run's: another order is other data.
  ProgramResult result =
      moft("train", {"data.train=[train.jsonl, parts/b.jsonl]"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  result = moft(
      "train", {"data.train=[parts/b.jsonl, train.jsonl]", "--resume", "auto"});
  EXPECT_EQ(result.exit_code, 2);
  has(result.err, "data.train is not what");
}

TEST_F(Preflight, HomeAndVariablesInEveryPath) {
  const char* before = std::getenv("HOME");
  const std::string home = before ? before : "";
  ::setenv("HOME", (folder_.path() / "home").c_str(), 1);
  ProgramResult result = moft("train", {"output=~/runs/x"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto run = folder_.path() / "home/runs/x";
  EXPECT_TRUE(std::filesystem::exists(run / "policy/moft.json"));
  result = moft("train", {"--output", "${HOME}/runs/y"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(
      std::filesystem::exists(folder_.path() / "home/runs/y/policy/moft.json"));
  result = run_moft(
      {"generate",
       "~/runs/x",
       "--weights",
       "short=.5,polite=.5",
       "--input",
       "$HOME/../held.jsonl",
       "--max-new-tokens",
       "2"},
      folder_.path());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  result = run_moft(
      {"export",
       "~/runs/x",
       "--weights",
       "short=.5,polite=.5",
       "--to",
       "~/frozen"},
      folder_.path());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "home/frozen"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "~"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "${HOME}"));
  result = moft("train", {"--output", "~nobody/x"});
  EXPECT_EQ(result.exit_code, 2);
  has(result.err, "--output is '~nobody/x'");
  ::setenv("HOME", home.c_str(), 1);
}

// The same data options in `moft sft`.
TEST_F(Preflight, SftTakesFilesEpochsAndSkips) {
  folder_.write(
      "sft.yaml",
      "name: s\noutput: srun\ndevice: cpu\nmodel: {path: base}\n"
      "data: {train: parts/*.jsonl, evaluation: held.jsonl, prompt_template: "
      "\"{post}\", completion_template: \"{answer}\", too_long: skip}\n"
      "sft: {epochs: 2, pairs_per_step: 2}\n");
  const std::string pair = "{\"post\": \"ab\", \"answer\": \"c\"}\n";
  folder_.write("parts/a.jsonl", pair + pair);
  folder_.write(
      "parts/b.jsonl",
      pair + "{\"post\": \"" + std::string(70, 'b') +
          "\", \"answer\": \"c\"}\n");
  folder_.write("held.jsonl", pair);
  const auto run = [&](Words words) {
    words.insert(words.begin() + (words[0] == "recipe" ? 2 : 1), "sft.yaml");
    return run_moft(words, folder_.path());
  };
  ProgramResult result = run({"recipe", "check"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  has(result.out, "sft.yaml: good; 3 and 1 pairs\n");
  has(result.out, "3 examples from 2 files");
  has(result.out, "1 skipped, too long: ");
  has(result.out, "b.jsonl:2");
  has(result.out, "steps       3, for 2 epochs");
  result = run({"sft"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string metrics = read_file(folder_.path() / "srun/metrics.jsonl");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 3);
  result = run({"recipe", "check", "data.too_long=error"});
  EXPECT_EQ(result.exit_code, 2);
  has(result.err, "b.jsonl:2: prompt and completion have 72 tokens");
  result = run({"recipe", "check", "sft.learning_rate=1e-3"});
  has(result.err, "did you mean 'sft.optimizer.learning_rate'?");
  result = run({"recipe", "check", "sft.epochs=1", "sft.steps=4"});
  EXPECT_EQ(result.out.find("epochs"), std::string::npos);
}

// Keys of other programs lead to one that does something in this recipe.
TEST_F(Preflight, HintsLeadToKeysWithAnEffect) {
  const std::pair<const char*, const char*> kCases[] = {
      {"training.beta=0.1", "did you mean 'training.kl_strength'?"},
      {"training.init_kl_coef=0.2", "did you mean 'training.kl_strength'?"},
      {"training.learning_rate=1e-5",
       "did you mean 'training.optimizer.learning_rate'?"},
      {"learning_rate=1e-5",
       "did you mean 'training.optimizer.learning_rate'?"},
      {"training.num_generations=8",
       "did you mean 'training.samples_per_prompt'?"},
      {"actor_rollout_ref.rollout.n=8",
       "did you mean 'training.samples_per_prompt'?"},
      {"training.per_device_train_batch_size=4",
       "did you mean 'training.prompts_per_step'?"},
      {"training.batch_size=4", "did you mean 'training.prompts_per_step'?"},
      {"training.max_completion_length=64",
       "did you mean 'training.max_new_tokens'?"},
      {"training.num_train_epochs=3", "did you mean 'training.epochs'?"},
      {"training.save_steps=3", "did you mean 'training.checkpoint.every'?"},
      {"bf16=true", "did you mean 'precision'? (precision: bf16)"},
      {"report_to=wandb", "every step is logged to metrics.jsonl"},
      {"training.critic_learning_rate=1",
       "did you mean 'training.value.learning_rate'? (it needs "
       "training.baseline: value, or training.algorithm: ppo)"},
      {"training.loss_type=grpo",
       "did you mean 'training.grpo.loss_type'? (it needs training.algorithm: "
       "grpo)"},
      {"epsilon=0.2", "did you mean 'training.grpo.epsilon'?"},
      {"training.epsilon_high=0.28",
       "did you mean 'training.grpo.epsilon_high'?"},
      {"num_iterations=2", "did you mean 'training.grpo.num_iterations'?"},
      {"training.steps_per_generation=2",
       "did you mean 'training.grpo.steps_per_generation'?"},
      {"training.grpo.num_generations=8",
       "did you mean 'training.samples_per_prompt'?"},
      {"training.grpo.beta=0.04",
       "did you mean 'training.kl_strength'? (beta / (1 + beta))"},
      {"scale_rewards=group",
       "did you mean 'training.advantage_normalisation'?"},
      {"training.num_ppo_epochs=4",
       "did you mean 'training.ppo.num_ppo_epochs'? (it needs "
       "training.algorithm: ppo)"},
      {"cliprange=0.2", "did you mean 'training.ppo.cliprange'?"},
      {"training.gamma=0.99", "did you mean 'training.ppo.gamma'?"},
      {"training.ppo.vf_coef=0.1", "has an optimizer of its own"}};
  for (const auto& [assignment, hint] : kCases) {
    const ProgramResult result = moft("show", {assignment});
    EXPECT_EQ(result.exit_code, 2);
    has(result.err, hint);
  }
}

// A key of the same name elsewhere does something else; the hint is not that.
TEST_F(Preflight, HintsNeverLeadToAnotherEffect) {
  folder_.write(
      "sft.yaml",
      "name: s\noutput: srun\nmodel: {path: base}\n"
      "data: {train: a, evaluation: b, prompt_template: \"{p}\", "
      "completion_template: \"{c}\"}\n");
  struct Case {
    const char* recipe;
    const char* key;
    const char* hint;  // a key; or, with a comma, the keys known there
  };
  const Case kCases[] = {
      {"r.yaml", "training.checkpoint.steps", "training.checkpoint.every"},
      {"r.yaml", "training.evaluation.steps", "training.evaluation.every"},
      {"r.yaml", "training.value.lr", "training.value.learning_rate"},
      {"r.yaml", "critic.optim.lr", "training.value.learning_rate"},
      {"r.yaml", "critic.lr", "training.value.learning_rate"},
      {"r.yaml", "prompt", "data.prompt_template"},
      {"r.yaml", "data.prompt", "data.prompt_template"},
      {"r.yaml", "training.optimizer.name", "training.optimizer.kind"},
      {"r.yaml", "training.schedule.name", "training.schedule.kind"},
      {"r.yaml", "objectives.short.length.target", "unit, full_at, zero_at"},
      {"r.yaml", "objectives.short.kind", "similarity, length, regex"},
      {"r.yaml", "training.guards.every", "kl_ceiling, distinct_floor"},
      {"r.yaml", "training.evaluation.prompt", "training.evaluation.prompts"},
      {"r.yaml", "steps", "training.steps"},
      {"r.yaml", "model", "policy.model"},
      {"r.yaml", "every", "format_version, name"},
      {"sft.yaml", "sft.checkpoint.steps", "sft.checkpoint.every"},
      {"sft.yaml", "sft.evaluation.steps", "sft.evaluation.every"},
      {"sft.yaml", "sft.optimizer.name", "sft.optimizer.kind"},
      {"sft.yaml", "sft.schedule.name", "sft.schedule.kind"},
      {"sft.yaml", "prompt", "data.prompt_template"},
      {"sft.yaml", "model.model", "model.path"},
      {"sft.yaml", "policy.model", "model.path"},
      {"sft.yaml", "training.steps", "sft.steps"},
      {"sft.yaml", "training.epochs", "sft.epochs"}};
  for (const auto& [recipe, key, hint] : kCases) {
    const ProgramResult result = run_moft(
        {"recipe", "show", recipe, std::string(key) + "=1"}, folder_.path());
    EXPECT_EQ(result.exit_code, 2) << key;
    const std::string text = hint;
    const bool listed = text.find(',') != std::string::npos;
    has(result.err,
        listed ? "known here: " + text : "did you mean '" + text + "'?");
  }
}

// Every key that a hint names is one.
TEST_F(Preflight, HintsNameKeysThatExist) {
  const std::string text =
      read_file(std::string(MOFT_SOURCE_DIR) + "/moft/recipes/key_hints.yaml");
  const SettingsNode table = parse_yaml(text, "key_hints.yaml");
  std::set<std::string> keys;
  for (const char* section : {"every_recipe", "train", "sft"}) {
    for (const auto& [name, node] : table.find(section)->members)
      keys.insert(node.items.empty() ? node.text : node.items.at(0).text);
  }
  keys.erase("");  // none
  EXPECT_GT(keys.size(), 40u);
  for (const std::string& key : keys)
    EXPECT_EQ(run_moft({"help", key}).exit_code, 0) << key;
}

}  // namespace
}  // namespace moft::test
