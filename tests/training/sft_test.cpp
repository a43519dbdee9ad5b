// Supervised finetuning against transformers, and what it promises.
#include <cstring>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/checkpoints/safetensors.h"
#include "moft/generation/generate.h"
#include "moft/models/random/initialise.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/training/run.h"
#include "moft/training/sft/trainer.h"

#include "tests/support/tensors.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(MOFT_SOURCE_DIR) / "tests/reference";

at::Tensor read(const SafetensorsFile& file, const std::string& name) {
  const TensorView view = file.find(name).value();
  const auto type = view.type == TensorType::kF64   ? at::kDouble
                    : view.type == TensorType::kI32 ? at::kInt
                                                    : at::kFloat;
  const at::Tensor tensor = at::empty(view.shape, type);
  std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

TokenIds ids_of(const SafetensorsFile& file, const std::string& name) {
  const at::Tensor ids = read(file, name);
  const auto* data = ids.const_data_ptr<std::int32_t>();
  return {data, data + ids.numel()};
}

// A model, pairs for it, and the trainer.
struct Finetuning {
  Finetuning(
      LoadedModel model, std::vector<SftPair> pairs_, const SftOptions& options)
      : pairs(std::move(pairs_)),
        policy(std::move(model), nullptr, sft_definition("{x}")),
        trainer({&policy, &pairs, &pairs, true}, options) {}

  std::vector<const SftPair*> all() const {
    std::vector<const SftPair*> batch;
    for (const SftPair& pair : pairs)
      batch.push_back(&pair);
    return batch;
  }

  std::map<std::string, at::Tensor> gradients() const {
    std::map<std::string, at::Tensor> result;
    const Conditioning& conditioning = *policy.conditioning();
    const std::vector<ScaledGradient> all = conditioning.gradients();
    for (std::size_t i = 0; i < all.size(); ++i) {
      result[conditioning.trained()[i].name] =
          all[i].tensor.clone() * all[i].coefficient;
    }
    return result;
  }

  std::vector<SftPair> pairs;
  SteeredPolicy policy;
  SftTrainer trainer;
};

struct SftKind {
  const char* name;
  const char* model;
  const char* expected;
};

class Sft : public testing::TestWithParam<SftKind> {
 protected:
  SafetensorsFile expected_{
      kReference / "training" /
      (std::string(GetParam().expected) + ".safetensors")};

  std::unique_ptr<Finetuning> make(const SftOptions& options = {}) const {
    std::vector<SftPair> pairs;
    for (const char* number : {"0", "1", "2"}) {
      pairs.push_back(
          {ids_of(expected_, std::string("prompt_") + number),
           ids_of(expected_, std::string("completion_") + number)});
    }
    return std::make_unique<Finetuning>(
        load_language_model(kReference / "models" / GetParam().model),
        std::move(pairs),
        options);
  }
};

TEST_P(Sft, LossAndGradientsAreThoseOfTransformers) {
  const auto tiny = make();
  const TokenLikelihood found = tiny->trainer.differentiate(tiny->all());
  EXPECT_EQ(found.tokens, 5 + 3 + 8);
  const double loss = read(expected_, "loss").item<double>();
  EXPECT_NEAR(found.loss(), loss, 1e-5 * loss);
  const auto gradients = tiny->gradients();
  EXPECT_FALSE(gradients.empty());
  for (const auto& [name, gradient] : gradients) {
    const std::string theirs = name.substr(std::string("shared/").size());
    EXPECT_LT(distance(gradient, read(expected_, "gradient/" + theirs)), 1e-4)
        << name;
  }
}

// A batch pads its shorter rows; every pair must count as it does alone.
TEST_P(Sft, NeitherNeighboursNorPaddingCount) {
  const auto tiny = make();
  const double together = tiny->trainer.held_out().log_prob;
  double alone = 0.0;
  for (const SftPair* pair : tiny->all())
    alone += tiny->trainer.differentiate({pair}).log_prob;
  EXPECT_NEAR(together, alone, 1e-6 * std::abs(alone));
}

TEST_P(Sft, AccumulationGivesTheGradientOfOneBatch) {
  const auto whole = make();
  const double loss = whole->trainer.differentiate(whole->all()).loss();
  const auto expected = whole->gradients();
  SftOptions three;
  three.gradient_accumulation = 3;
  const auto parts = make(three);
  EXPECT_NEAR(
      parts->trainer.differentiate(parts->all()).loss(), loss, 1e-7 * loss);
  for (const auto& [name, gradient] : parts->gradients())
    EXPECT_LT(distance(gradient, expected.at(name)), 1e-5) << name;
}

// A dialogue counts as its turns do one by one, each after all before it.
TEST(SftDialogue, WhatIsReadConditionsAndDoesNotCount) {
  const auto make = [](std::vector<SftPair> pairs) {
    return std::make_unique<Finetuning>(
        load_language_model(kReference / "models" / "llama_tied"),
        std::move(pairs),
        SftOptions{});
  };
  const TokenIds prompt = {3, 9, 4};
  const TokenIds rest = {5, 1, 28, 7, 11, 2};
  const auto dialogue = make({{prompt, rest, {1, 0, 0, 0, 1, 1}}});
  const auto turns = make({{prompt, {5}}, {{3, 9, 4, 5, 1, 28, 7}, {11, 2}}});
  const auto found = dialogue->trainer.differentiate(dialogue->all());
  const auto wanted = turns->trainer.differentiate(turns->all());
  EXPECT_EQ(found.tokens, 3);
  EXPECT_EQ(wanted.tokens, 3);
  EXPECT_NEAR(found.log_prob, wanted.log_prob, 1e-6 * -wanted.log_prob);
  EXPECT_NEAR(
      dialogue->trainer.held_out().log_prob,
      wanted.log_prob,
      1e-6 * -wanted.log_prob);
  const auto expected = turns->gradients();
  for (const auto& [name, gradient] : dialogue->gradients())
    EXPECT_LT(distance(gradient, expected.at(name)), 1e-5) << name;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    Sft,
    testing::Values(
        SftKind{"t5", "t5_v10", "sft_t5"},
        SftKind{"llama", "llama_tied", "sft_llama"}),
    [](const auto& kind) { return std::string(kind.param.name); });

// --- from random weights

LoadedModel random_model(const std::string& family, std::uint64_t seed = 1) {
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
  return make_random_model(random_model_config(options, tokens), seed);
}

// Equal prompts but for one token, so that reading it is all that helps.
std::vector<SftPair> four_pairs() {
  std::vector<SftPair> pairs;
  for (std::int32_t i = 0; i < 4; ++i) {
    pairs.push_back(
        {{5, 10 + i, 6, 7, 1}, {20 + i, 30 - i, 12, 20 + 3 * i, 1}});
  }
  return pairs;
}

SftOptions quick(std::int64_t steps) {
  SftOptions options;
  options.steps = steps;
  options.pairs_per_step = 4;
  options.optimizer.learning_rate = 0.01;
  return options;
}

class FromNothing : public testing::TestWithParam<const char*> {};

TEST_P(FromNothing, LearnsFourPairsByHeart) {
  Finetuning tiny(random_model(GetParam()), four_pairs(), quick(150));
  const double before = tiny.trainer.held_out().loss();
  EXPECT_GT(before, 3.0);  // log 40 is 3.69
  for (int step = 0; step < 150; ++step)
    tiny.trainer.step();
  EXPECT_LT(tiny.trainer.held_out().loss(), 0.01);

  GenerateBatch request;
  GenerateOptions options;
  options.max_new_tokens = 8;
  options.sampling.greedy = true;
  options.end_tokens = tiny.policy.model().info().end_tokens;
  request.steerings = {tiny.policy.coefficients_of(sft_steering())};
  for (std::size_t i = 0; i < tiny.pairs.size(); ++i) {
    request.prompts.push_back(tiny.pairs[i].prompt);
    request.rows.push_back({static_cast<std::int64_t>(i), 0});
    request.keys.push_back({1, Purpose::kTest, 0, 0});
  }
  const Generations found = generate(tiny.policy.model(), request, options);
  for (std::size_t i = 0; i < tiny.pairs.size(); ++i)
    EXPECT_EQ(found.rows[i].tokens, tiny.pairs[i].completion);
}

TEST_P(FromNothing, AdafactorLearnsThemToo) {
  SftOptions options = quick(150);
  options.optimizer.kind = OptimizerKind::kAdafactor;
  options.optimizer.learning_rate = 0.05;
  Finetuning tiny(random_model(GetParam()), four_pairs(), options);
  for (int step = 0; step < 150; ++step)
    tiny.trainer.step();
  EXPECT_LT(tiny.trainer.held_out().loss(), 0.05);
}

struct RunFiles {
  explicit RunFiles(const fs::path& folder) : base(folder / "base") {
    write_tiny_t5(base);  // for its spiece.model
  }
  fs::path base;
};

RunSetup setup_of(const fs::path& directory, Finetuning& tiny) {
  fs::create_directories(directory);
  RunSetup setup;
  setup.directory = directory;
  setup.recipe = "name: test\n";
  setup.kind = RunKind::kSft;
  setup.on_evaluate = [&tiny](std::int64_t) { return tiny.trainer.evaluate(); };
  return setup;
}

RunOutcome run_in(
    const RunSetup& setup,
    const RunFiles& files,
    Finetuning& tiny,
    const std::optional<Checkpoint>& resume = std::nullopt) {
  ModelPublisher publisher(tiny.policy, sft_steering(), files.base);
  return Run(setup, tiny.trainer, publisher, resume).run();
}

std::map<std::string, at::Tensor> copies_of(const SteeredPolicy& policy) {
  std::map<std::string, at::Tensor> copies;
  for (const auto& [name, tensor] : policy.conditioning()->tensors())
    copies[name] = tensor.clone();
  return copies;
}

TEST_P(FromNothing, AStoppedRunGoesOnToTheSameBits) {
  const Scratch scratch;
  const RunFiles files(scratch.path());
  SftOptions options = quick(7);
  options.pairs_per_step = 3;  // epochs end inside steps
  options.evaluation.every = 2;
  options.checkpoint.every = 2;

  Finetuning straight(random_model(GetParam()), four_pairs(), options);
  const RunSetup whole = setup_of(scratch.path() / "whole", straight);
  ASSERT_TRUE(run_in(whole, files, straight).finished);

  const fs::path directory = scratch.path() / "parts";
  Finetuning first(random_model(GetParam()), four_pairs(), options);
  RunSetup setup = setup_of(directory, first);
  setup.stop_requested = [&] { return first.trainer.finished_steps() == 3; };
  const RunOutcome stopped = run_in(setup, files, first);
  EXPECT_FALSE(stopped.finished);
  EXPECT_EQ(stopped.step, 3);
  ASSERT_TRUE(stopped.checkpoint.has_value());

  // Other random weights: all must come from the checkpoint.
  Finetuning second(random_model(GetParam(), 9), four_pairs(), options);
  const Checkpoint checkpoint = read_checkpoint(*stopped.checkpoint);
  ASSERT_TRUE(
      run_in(setup_of(directory, second), files, second, checkpoint).finished);

  const auto expected = copies_of(straight.policy);
  for (const auto& [name, tensor] : copies_of(second.policy))
    EXPECT_TRUE(same_bits(tensor, expected.at(name))) << name;
  EXPECT_EQ(
      read_all(directory / "model/model.safetensors"),
      read_all(scratch.path() / "whole/model/model.safetensors"));
}

TEST_P(FromNothing, TheModelReadBackGivesTheSameLogits) {
  const Scratch scratch;
  const RunFiles files(scratch.path());
  Finetuning tiny(random_model(GetParam()), four_pairs(), quick(3));
  const RunOutcome outcome =
      run_in(setup_of(scratch.path() / "run", tiny), files, tiny);
  EXPECT_TRUE(fs::exists(outcome.product / "spiece.model"));

  ScoreBatch batch;
  for (const SftPair& pair : tiny.pairs) {
    batch.prompt_of_row.push_back(std::ssize(batch.prompts));
    batch.prompts.push_back(pair.prompt);
    batch.completions.push_back(pair.completion);
  }
  at::NoGradGuard no_gradient;
  const at::Tensor trained = tiny.policy.model().completion_logits(
      batch, RowSteering::uniform(tiny.policy.coefficients_of(sft_steering())));
  const LoadedModel read_back = load_language_model(outcome.product);
  const at::Tensor found = read_back.model->completion_logits(
      batch, RowSteering::uniform(Coefficients::frozen_reference()));
  EXPECT_TRUE(same_bits(found, trained));
  const at::Tensor start = tiny.policy.model().completion_logits(
      batch, RowSteering::uniform(Coefficients::frozen_reference()));
  EXPECT_GT(distance(trained, start), 0.01);
}

INSTANTIATE_TEST_SUITE_P(
    Families,
    FromNothing,
    testing::Values("t5", "llama"),
    [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace moft::test
