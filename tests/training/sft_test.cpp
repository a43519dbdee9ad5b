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

// --- pairs

class Pairs : public testing::Test {
 protected:
  Pairs() {
    write_tiny_t5(scratch_.path() / "t5");
    write_tiny_model(scratch_.path() / "llama");
    options_.prompt_template = "{a}";
    options_.completion_template = "{b}";
  }

  SftPairs encode(const char* model) const {
    const LoadedModel loaded = load_language_model(scratch_.path() / model);
    const auto tokenizer = load_tokenizer(scratch_.path() / model);
    return encode_pairs(examples_, options_, *tokenizer, loaded.model->info());
  }

  void add(const std::string& a, const std::string& b) {
    Example example;
    example.fields = {{"a", a}, {"b", b}};
    example.where = "pairs.jsonl:" + std::to_string(examples_.size() + 1);
    examples_.push_back(std::move(example));
  }

  std::string error_of(const char* model) const {
    try {
      encode(model);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "none";
  }

  Scratch scratch_;
  SftDataOptions options_;
  std::vector<Example> examples_;
};

TEST_F(Pairs, AnEncoderDecodersPromptAndCompletionBothEnd) {
  add("one two", "a");
  const SftPair pair = encode("t5").pairs.at(0);
  EXPECT_EQ(pair.prompt.back(), kTinyT5End);
  EXPECT_EQ(pair.completion.back(), kTinyT5End);
  EXPECT_EQ(std::count(pair.prompt.begin(), pair.prompt.end(), kTinyT5End), 1);
}

TEST_F(Pairs, ADecodersCompletionAloneEnds) {
  add("ab ", "c.");
  // " abc..z." and the end token: ids 0, 1.., 27, 28.
  const SftPair pair = encode("llama").pairs.at(0);
  EXPECT_EQ(pair.prompt, (TokenIds{1, 2, 0}));
  EXPECT_EQ(pair.completion, (TokenIds{3, 27, 28}));
}

// The template's end token is the token, and the only one.
TEST_F(Pairs, AnEndTokenWrittenInTheTemplateIsTheEnd) {
  for (const char* text : {"{b}<end>", "{b}<end> ", "{b}"}) {
    options_.completion_template = text;
    examples_.clear();
    add("a", "b");
    EXPECT_EQ(encode("llama").pairs.at(0).completion, (TokenIds{2, 28}));
  }
  options_.completion_template = "{b}</s>";
  EXPECT_EQ(
      std::ranges::count(encode("t5").pairs.at(0).completion, kTinyT5End), 1);
}

// A field's text is a stranger's.
TEST_F(Pairs, SpecialTokensInAFieldAreText) {
  add("<end>", "b<end>");
  const SftPair pair = encode("llama").pairs.at(0);
  EXPECT_EQ(std::ranges::count(pair.prompt, 28), 0);
  EXPECT_EQ(std::ranges::count(pair.completion, 28), 1);
  EXPECT_EQ(pair.completion.back(), 28);
}

// Among several end tokens, the one that ends the prompt's turns ends the
// answer.
TEST_F(Pairs, TheEndTokenIsTheOneOfThePromptTemplate) {
  ModelInfo model;
  model.context = 64;
  model.end_tokens = {27, 28};  // "." and "<end>"
  const auto tokenizer = load_tokenizer(scratch_.path() / "llama");
  EXPECT_EQ(completion_end("{a}", *tokenizer, model), 27);
  EXPECT_EQ(completion_end("{a}<end>b", *tokenizer, model), 28);
  // Without one there the tokenizer's own.
  write_tiny_text(
      scratch_.path() / "llama/tokenizer_config.json",
      R"({"eos_token": "<end>"})");
  const auto chat = load_tokenizer(scratch_.path() / "llama");
  EXPECT_EQ(completion_end("{a}", *chat, model), 28);
  add("a", "b");
  options_.prompt_template = "{a}<end>b";
  const auto pairs = encode_pairs(examples_, options_, *tokenizer, model);
  EXPECT_EQ(pairs.pairs.at(0).completion, (TokenIds{2, 28}));
}

TEST_F(Pairs, AnEndTokenAloneIsNothingToLearn) {
  options_.completion_template = "{b}<end>";
  add("abc", "");
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: the completion is empty; there is nothing to learn from "
      "it");
}

TEST_F(Pairs, WhatIsTooLongIsNamedOrCounted) {
  add("abc", "d");
  add("abcdef", "d");
  add("abc", "defghi");
  options_.max_prompt_tokens = 4;
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:2: the prompt has 6 tokens, more than "
      "data.max_prompt_tokens = 4; shorten the example, change the limit, or "
      "set data.too_long to skip, truncate_left or truncate_right");
  options_.too_long = TooLong::kSkip;
  options_.max_completion_tokens = 6;
  const SftPairs pairs = encode("llama");
  EXPECT_EQ(pairs.pairs.size(), 1U);
  EXPECT_EQ(pairs.lengths.skipped, 2);
  EXPECT_EQ(
      pairs.lengths.describe(),
      "2 skipped, too long: pairs.jsonl:2, pairs.jsonl:3");
  options_.max_prompt_tokens = 2;
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: the prompt has 3 tokens, more than "
      "data.max_prompt_tokens = 2; and so are all others too long, so that "
      "none is left");
}

// Only prompts are cut: an answer cut off would teach to stop in the middle.
TEST_F(Pairs, TruncatingCutsPromptsAndLeavesOutLongCompletions) {
  add("abcdef", "d");
  add("abc", "defghi");
  options_.max_prompt_tokens = 4;
  options_.max_completion_tokens = 6;
  options_.too_long = TooLong::kTruncateLeft;
  const SftPairs left = encode("llama");
  ASSERT_EQ(left.pairs.size(), 1U);
  EXPECT_EQ(left.pairs[0].prompt, (TokenIds{3, 4, 5, 6}));  // "cdef"
  EXPECT_EQ(left.lengths.truncated, 1);
  EXPECT_EQ(left.lengths.skipped, 1);
  options_.too_long = TooLong::kTruncateRight;
  EXPECT_EQ(encode("llama").pairs[0].prompt, (TokenIds{1, 2, 3, 4}));
}

TEST_F(Pairs, TheModelsContextCounts) {
  add(std::string(60, 'a'), "bcde");  // 60 + 5 of 64
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: prompt and completion have 65 tokens, more than the "
      "model's 64; shorten the example, change the limit, or set data.too_long "
      "to skip, truncate_left or truncate_right");
}

TEST_F(Pairs, AnEmptyCompletionIsAnError) {
  add("abc", "");
  EXPECT_EQ(
      error_of("llama"),
      "pairs.jsonl:1: the completion is empty; there is nothing to learn from "
      "it");
}

}  // namespace
}  // namespace moft::test
