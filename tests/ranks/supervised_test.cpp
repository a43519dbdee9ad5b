// Training on given rows over ranks has the bits of one process with the same
// slices: supervised finetuning, preference optimisation, reward models.
//
// Nothing is computed in the process of the tests: it forks.
#include <fstream>
#include <memory>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/models/random/initialise.h"
#include "moft/training/dpo/trainer.h"
#include "moft/training/reward/trainer.h"
#include "moft/training/sft/trainer.h"

#include "tests/ranks/support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 3;

// ---- supervised finetuning --------------------------------------------------

LoadedModel random_model(const std::string& family) {
  RandomModelOptions options;
  options.family = random_family(family);
  options.layers = 2;
  options.width = 32;
  options.heads = 2;
  options.feed_forward = 64;
  options.vocabulary = 40;
  RandomModelTokens tokens;
  tokens.count = 40;
  tokens.end = 1;
  tokens.padding = 0;
  return make_random_model(random_model_config(options, tokens), 1);
}

// Many lengths; one token of every third completion is not learned.
std::vector<SftPair> sft_pairs(std::int32_t count) {
  std::vector<SftPair> pairs;
  for (std::int32_t i = 0; i < count; ++i) {
    SftPair pair;
    for (std::int32_t t = 0; t < 3 + i % 5; ++t)
      pair.prompt.push_back(2 + (7 * i + t) % 38);
    for (std::int32_t t = 0; t < 2 + i % 4; ++t)
      pair.completion.push_back(2 + (5 * i + 3 * t) % 38);
    pair.completion.push_back(1);
    if (i % 3 == 0) {
      pair.learned.assign(pair.completion.size(), 1);
      pair.learned[1] = 0;
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

std::function<std::string(Group*)> sft(
    const std::string& family, std::int64_t slices, double budget = 8.0) {
  return [=](Group* group) {
    const auto train = sft_pairs(10);
    const auto held_out = sft_pairs(40);  // in groups of 16
    SftOptions options;
    options.pairs_per_step = 6;
    options.gradient_accumulation = slices;
    options.memory_budget = budget;
    options.optimizer.learning_rate = 0.01;
    SteeredPolicy policy(random_model(family), nullptr, sft_definition("{x}"));
    SftTrainer trainer({&policy, &train, &held_out, true, group}, options);
    return trace_of(trainer, kSteps, group, [&](std::int64_t) {
      return trainer.evaluate();
    });
  };
}

// ---- preference optimisation ------------------------------------------------

std::vector<DpoPair> dpo_pairs(const SteeredPolicy& policy, int count) {
  const Tokenizer& tokenizer = policy.tokenizer();
  const TokenId end = policy.base().model->info().end_tokens.front();
  std::vector<DpoPair> pairs;
  for (int i = 0; i < count; ++i) {
    DpoPair pair;
    pair.prompt.ids =
        tokenizer.encode(std::string(static_cast<std::size_t>(1 + i % 3), 'x'));
    for (const int length : {1 + i % 4, 1 + (i + 2) % 5}) {
      pair.answers.at(pair.answers.at(0).empty() ? 0 : 1) = tokenizer.encode(
          std::string(static_cast<std::size_t>(length), i % 2 ? 'a' : 'b'));
    }
    for (TokenIds& answer : pair.answers)
      answer.push_back(end);
    pair.scores = {std::vector<double>{1.0, 0.1 * i}, {0.25, 0.5}};
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

std::function<std::string(Group*)> dpo(
    SteeredSet set, WeightingPer per, std::int64_t slices) {
  return [=](Group* group) {
    DpoOptions options;
    options.pairs_per_step = 6;
    options.kl_strength = 0.2;
    options.weighting_per = per;
    options.gradient_accumulation = slices;
    options.optimizer.learning_rate = 0.01;
    TinyRun run = tiny_run();
    run.steered_set = set;
    run.training.kl_strength = options.kl_strength;
    const Scratch scratch;
    const TinyTraining tiny(scratch.path(), run);
    const auto train = dpo_pairs(*tiny.policy, 10);  // epochs end inside steps
    const auto held_out = dpo_pairs(*tiny.policy, 20);
    DpoTrainer trainer(
        {tiny.policy.get(), &train, &held_out, true, group},
        options,
        make_weighting_sampler({}, {"a", "b"}, "weightings"));
    return trace_of(trainer, kSteps, group, [&](std::int64_t) {
      return trainer.evaluate();
    });
  };
}

// ---- reward models ----------------------------------------------------------

fs::path classifier_of(const std::string& family) {
  return fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers" /
         family;
}

std::vector<RewardRow> reward_rows(
    const std::string& family, RewardTask kind, std::size_t count) {
  const ClassifierInfo info = read_classifier_info(classifier_of(family));
  nlohmann::json texts;
  std::ifstream(classifier_of(family) / "expected.json") >> texts;
  const auto text = [&](std::size_t i) {
    return ReadText{
        without_padding(texts[i % texts.size()]["ids"].get<TokenIds>(), info)};
  };
  std::vector<RewardRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    RewardRow row;
    row.texts = {text(i)};
    if (kind == RewardTask::kPreference) row.texts.push_back(text(i + 1));
    row.label = static_cast<std::int64_t>(i % info.labels.size());
    row.number = static_cast<double>(i % 5) / 4.0;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::function<std::string(Group*)> reward(
    const std::string& family,
    RewardTask kind,
    std::int64_t slices,
    bool adapters = false) {
  return [=](Group* group) {
    RewardTrainingOptions options;
    options.kind = kind;
    options.rows_per_step = 6;
    options.gradient_accumulation = slices;
    options.optimizer.learning_rate = 3e-3;
    options.early_stopping = 2;
    if (adapters) options.lora = LoraOptions{};
    const auto train = reward_rows(family, kind, 10);
    const auto held_out = reward_rows(family, kind, 70);  // in groups of 32
    Classifier model(classifier_of(family), std::nullopt, LoadOptions{});
    const auto conditioning = condition_classifier(model, options);
    RewardTrainer trainer(
        {&model, conditioning.get(), &train, &held_out, true, group}, options);
    return trace_of(trainer, kSteps, group, [&](std::int64_t) {
      return trainer.evaluate();
    });
  };
}

TEST(SupervisedOverRanks, TwoHaveTheBitsOfOneProcess) {
  expect_same_texts(
      Traces{
          {"sft llama", sft("llama", 2)},
          {"sft t5, three slices each", sft("t5", 6)},
          {"sft little memory", sft("llama", 2, 0.0003)},
          {"dpo adapters", dpo(SteeredSet::kLora, WeightingPer::kPrompt, 2)},
          {"dpo copies, three slices each",
           dpo(SteeredSet::kFull, WeightingPer::kPrompt, 6)},
          {"dpo one weighting",
           dpo(SteeredSet::kFull, WeightingPer::kBatch, 2)},
          {"classifier", reward("bert", RewardTask::kClassification, 2)},
          {"regression", reward("llama", RewardTask::kRegression, 2)},
          {"preference", reward("gpt2", RewardTask::kPreference, 6)},
          {"adapters of a classifier",
           reward("bert", RewardTask::kClassification, 2, true)}},
      2);
}

// Fewer groups of held-out rows than ranks would like.
TEST(SupervisedOverRanks, ThreeHaveTheBitsOfOneProcess) {
  expect_same_texts(
      Traces{
          {"sft", sft("llama", 3)},
          {"dpo", dpo(SteeredSet::kLora, WeightingPer::kPrompt, 6)},
          {"reward", reward("bert", RewardTask::kClassification, 3)}},
      3);
}

}  // namespace
}  // namespace moft::test
