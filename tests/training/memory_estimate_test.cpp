#include "moft/training/memory_estimate.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/models/decoder_model.h"

#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

// Llama of 3 layers, width 8, 4 heads of 2 on 2 for keys, 16 wide inside, 100
// tokens, a head of its own.
ModelShape small() {
  DecoderConfig config;
  config.vocabulary = 100;
  config.width = 8;
  config.layers = 3;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_size = 2;
  config.feed_forward = 16;
  config.context = 16;
  const FindParameter never_read = [](const std::string&,
                                      const std::vector<std::int64_t>&) {
    return kernels::RowSource();
  };
  return shape_of(DecoderModel(config, never_read, LoadOptions()));
}

// 3 (2*8*(8+4) + 3*8*16 + 16) + 8 + 2*800
constexpr std::int64_t kParameters = 3 * (192 + 384 + 16) + 8 + 1600;

TEST(MemoryEstimate, CountsTheModelsParameters) {
  EXPECT_EQ(small().parameters, kParameters);
  const Scratch scratch;
  const TinyTraining tiny(scratch.path(), tiny_run());
  const SequenceModel& model = *tiny.policy->base().model;
  EXPECT_EQ(shape_of(model).parameters, model.info().parameters);
  // Adapters: of one copy, as the policy counts them.
  EXPECT_EQ(
      steered_parameters(
          shape_of(model), tiny.policy->definition().conditioning),
      tiny.policy->conditioning()->counts().steered);
}

// Decoder layers of T5 have adapters on both attentions.
TEST(MemoryEstimate, CountsTheAdaptersOfAnEncoderDecoder) {
  for (const char* layers : {"all", "0..1", "1..2", "2..2"}) {
    const Scratch scratch;
    write_tiny_t5(scratch.path() / "base");
    TinyRun run = tiny_run();
    run.lora_layers = layers;
    const TinyTraining tiny(scratch.path(), run);
    EXPECT_EQ(
        steered_parameters(
            shape_of(*tiny.policy->base().model),
            tiny.policy->definition().conditioning),
        tiny.policy->conditioning()->counts().steered)
        << layers;
  }
}

// What the decoder of T5 keeps of a new token, and of a prompt's: cross
// attention's queries and results are there packed and padded, and so are the
// keys and values.
TEST(MemoryEstimate, OfAnEncoderDecoderCountsWhatIsPadded) {
  ModelShape shape;
  shape.vocabulary = 100;
  shape.width = 8;
  shape.layers = 5;
  shape.encoder_layers = 2;
  shape.query_width = shape.key_width = 24;
  shape.feed_forward = 16;
  ConditioningOptions conditioning;
  const StepCosts costs =
      step_costs(shape, conditioning, KlEstimator::kSequence);
  const std::int64_t kept = 6 * 8 + 4 * 24 + 3 * 16;
  EXPECT_EQ(costs.new_token, 4 * (3 * (kept + 3 * 8 + 4 * 24) + 3 * 100));
  EXPECT_EQ(costs.prompt_token, 4 * (2 * kept + 3 * 2 * 24));
  EXPECT_EQ(costs.padded_token, 4 * 3 * 2 * 24);
  EXPECT_EQ(costs.graph_token, costs.prompt_token);
  EXPECT_EQ(costs_of_texts(shape).padded_token, costs.padded_token);
  EXPECT_EQ(
      step_costs(small(), conditioning, KlEstimator::kSequence).padded_token,
      0);
}

MemoryQuestion question() {
  MemoryQuestion question;
  question.shape = small();
  question.objectives = 2;
  question.prompt_tokens = 10;
  question.training.prompts_per_step = 6;
  question.training.samples_per_prompt = 4;
  question.training.max_new_tokens = 5;
  question.conditioning.lora.rank = 2;
  return question;
}

// Entries; of 10 + 5 tokens each row has one.
constexpr std::int64_t kPage = 64;

TEST(MemoryEstimate, OfAdaptersIsTheClosedForm) {
  const MemoryEstimate found = estimate_memory(question());
  // Rank 2, 3 layers; sides 16 of q and o, 12 of k and v, 24 of three.
  const std::int64_t steered = 2 * 3 * (2 * 16 + 2 * 12 + 3 * 24);
  EXPECT_EQ(found.weights, 8 * kParameters);
  // Beside themselves what is multiplied by, packed both ways.
  EXPECT_EQ(found.masters, 3 * 4 * 2 * steered);
  EXPECT_EQ(found.gradients, 4 * 2 * steered);
  EXPECT_EQ(found.optimizer, 8 * 2 * steered);
  EXPECT_EQ(found.value, 0);
  const std::int64_t features = (6 * 10 + 24 * 5) * 8 * 4;
  EXPECT_EQ(
      found.rollout, 24 * kPage * 3 * 2 * 4 * 4 + features + 2 * 24 * 100 * 4);
  const std::int64_t kept = 6 * 8 + 2 * 8 + 2 * 4 + 3 * 16;
  EXPECT_EQ(found.scoring, features + 180 * 3 * kept * 4 + 3 * 120 * 100 * 4);
  // The gradient comes as activations go.
  EXPECT_GT(found.scoring, found.gradients);
  EXPECT_EQ(
      found.peak(), 8 * kParameters + 5 * 4 * 2 * steered + found.scoring);
  EXPECT_EQ(
      resident_bytes(found), found.peak() + found.peak() / 16 + 300'000'000);
}

// What earlier parts and slices left is there when the next one is scored.
TEST(MemoryEstimate, CountsTheGradientsThatAreLeft) {
  MemoryQuestion asked = question();
  asked.conditioning.steered_set = SteeredSet::kFull;
  asked.training.weighting_per = WeightingPer::kBatch;
  const MemoryEstimate one = estimate_memory(asked);
  EXPECT_EQ(one.gradients, 2 * 4 * kParameters);
  EXPECT_EQ(one.left, 0);
  EXPECT_EQ(one.peak(), one.held() + std::max(one.scoring, one.gradients));
  asked.training.gradient_accumulation = 2;
  const MemoryEstimate slices = estimate_memory(asked);
  EXPECT_EQ(slices.left, 4 * kParameters);
  EXPECT_EQ(
      slices.peak(),
      slices.held() + std::max(slices.scoring + slices.left, slices.gradients));
  asked.training.gradient_accumulation = 1;
  asked.training.memory_budget = static_cast<double>(one.scoring - 1) / 1e9;
  EXPECT_EQ(estimate_memory(asked).left, 4 * kParameters);
}

TEST(MemoryEstimate, OfFullCopiesInBf16IsTheClosedForm) {
  MemoryQuestion asked = question();
  asked.bf16 = true;
  asked.conditioning.steered_set = SteeredSet::kFull;
  asked.training.baseline = Baseline::kValue;
  asked.training.optimizer.kind = OptimizerKind::kAdafactor;
  const MemoryEstimate found = estimate_memory(asked);
  // Nothing frozen has a gradient to pass.
  EXPECT_EQ(found.weights, 2 * kParameters);
  // Two copies, the mixture, one packed for each of 6 prompts, and the
  // reference's embedding table.
  EXPECT_EQ(found.masters, (2 * 4 + 4 + 6 * 2) * kParameters + 100 * 8 * 4);
  EXPECT_EQ(found.gradients, (2 * 4 + 4) * kParameters);
  EXPECT_EQ(found.optimizer, 2 * 4 * kParameters);
  EXPECT_EQ(found.value, 5 * 4 * kParameters);
}

// All layers of the value network are trained, whatever the policy's are; the
// states that the rollout keeps are there meanwhile.
TEST(MemoryEstimate, TheValueNetworksPassIsTheClosedForm) {
  MemoryQuestion asked = question();
  asked.conditioning.lora.layers = "2..2";
  asked.training.baseline = Baseline::kValue;
  const std::int64_t features = (6 * 10 + 24 * 5) * 8 * 4;
  const std::int64_t kept = 6 * 8 + 2 * 8 + 2 * 4 + 3 * 16;
  MemoryEstimate found = estimate_memory(asked);
  EXPECT_EQ(found.value_pass, features + 6 * 10 * 3 * kept * 4);
  EXPECT_EQ(found.value, 5 * 4 * kParameters);
  // A larger network of its own, whose pass is the step's peak.
  asked.value_network = small();
  asked.value_network->parameters = 12'345;
  asked.value_network->layers = 300;
  found = estimate_memory(asked);
  EXPECT_EQ(found.value, 5 * 4 * 12'345);
  EXPECT_EQ(found.value_pass, features + 6 * 10 * 300 * kept * 4);
  EXPECT_EQ(
      found.peak(),
      found.weights + found.masters + found.gradients + found.optimizer +
          found.value + found.value_pass);
  // In parts of three prompts, and refused for less than one.
  const auto with_budget = [&](std::int64_t bytes) {
    asked.training.memory_budget = static_cast<double>(bytes) / 1e9;
    return estimate_memory(asked).value_pass;
  };
  const std::int64_t prompt = 10 * 300 * kept * 4;
  EXPECT_EQ(with_budget(features + 3 * prompt + 9), features + 3 * prompt);
  EXPECT_EQ(with_budget(features + prompt + 9), features + prompt);
  try {
    with_budget(features + prompt - 9);
    FAIL();
  } catch (const CallerError& error) {
    const std::string text = error.what();
    EXPECT_NE(
        text.find("but the value network, beside what a rollout keeps, needs"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("for a prompt of 10 tokens"), std::string::npos);
  }
}

// PPO's network reads completions too, and has a column more.
TEST(MemoryEstimate, PposValuePassHoldsTheCompletions) {
  MemoryQuestion asked = question();
  asked.training.algorithm = Algorithm::kPpo;
  const std::int64_t features = (6 * 10 + 24 * 5) * 8 * 4;
  const std::int64_t kept = 6 * 8 + 2 * 8 + 2 * 4 + 3 * 16;
  const std::int64_t prompts = 10 * 3 * kept * 4;
  const std::int64_t row = 5 * (3 * kept + 3 * 100) * 4;
  const MemoryEstimate found = estimate_memory(asked);
  EXPECT_EQ(found.value, 5 * 4 * kParameters);
  EXPECT_EQ(found.value_pass, features + 6 * prompts + 24 * row);
  // In parts of rows: one prompt and two of its completions, or one.
  const auto with_budget = [&](std::int64_t bytes) {
    asked.training.memory_budget = static_cast<double>(bytes) / 1e9;
    return estimate_memory(asked).value_pass;
  };
  const std::int64_t least = features + prompts + row;
  EXPECT_EQ(with_budget(least + row + 9), least + row);
  EXPECT_EQ(with_budget(least + 9), least);
  EXPECT_THROW(with_budget(least - 9), CallerError);
}

// The budget bounds an update's parts, however many updates a step has.
TEST(MemoryEstimate, OfGrposUpdatesIsThatOfOne) {
  MemoryQuestion asked = question();
  const MemoryEstimate one = estimate_memory(asked);
  asked.training.algorithm = Algorithm::kGrpo;
  asked.training.grpo.steps_per_generation = 3;
  asked.training.grpo.num_iterations = 2;
  const MemoryEstimate several = estimate_memory(asked);
  EXPECT_EQ(several.peak(), one.peak());
  asked.training.algorithm = Algorithm::kOnlineDpo;
  EXPECT_EQ(estimate_memory(asked).peak(), one.peak());
}

// The step's gradient and one of each objective.
TEST(MemoryEstimate, GradientCosinesKeepGradients) {
  MemoryQuestion asked = question();
  const MemoryEstimate without = estimate_memory(asked);
  asked.training.gradient_cosine_every = 10;
  const MemoryEstimate found = estimate_memory(asked);
  EXPECT_EQ(found.gradients, 4 * without.gradients);
  EXPECT_EQ(found.peak(), without.peak() + 3 * without.gradients);
}

// What a user can lower lowers it.
TEST(MemoryEstimate, FallsWithEverySettingThatMessagesName) {
  MemoryQuestion asked = question();
  asked.training.prompts_per_step = 64;
  asked.prompt_tokens = 200;
  asked.training.max_new_tokens = 100;
  const auto scoring = estimate_memory(asked).scoring;
  const auto rollout = estimate_memory(asked).rollout;
  const auto lower = [&](const std::function<void(TrainingOptions&)>& change) {
    MemoryQuestion changed = asked;
    change(changed.training);
    return estimate_memory(changed);
  };
  for (const auto& change : std::vector<std::function<void(TrainingOptions&)>>{
           [](auto& t) { t.prompts_per_step = 32; },
           [](auto& t) { t.samples_per_prompt = 2; },
           [](auto& t) { t.max_new_tokens = 50; }}) {
    EXPECT_LT(lower(change).scoring, scoring);
    EXPECT_LT(lower(change).rollout, rollout);
  }
  const auto in_parts =
      lower([](auto& t) { t.gradient_accumulation = 8; }).scoring;
  EXPECT_LT(in_parts, scoring / 4);
  const auto within = lower([](auto& t) { t.memory_budget = 0.003; });
  EXPECT_LE(within.scoring, 3'000'000);
  EXPECT_LE(within.rollout, 3'000'000);
}

// Lower layers have no gradient; a quantised file's blocks are multiplied as
// they are; a GPU has one form of the weights.
TEST(MemoryEstimate, AdaptersWeightsAreThoseThatAreThere) {
  MemoryQuestion asked = question();
  asked.conditioning.lora.layers = "2..2";
  const std::int64_t backwards = 4 * (kParameters - 2 * (192 + 384));
  EXPECT_EQ(estimate_memory(asked).weights, 4 * kParameters + backwards);
  asked.block_bytes = 1234;
  EXPECT_EQ(estimate_memory(asked).weights, 1234 + backwards);
  asked.on_gpu = true;
  EXPECT_EQ(estimate_memory(asked).weights, 1234);
  // There copies are mixed with float32 numbers.
  asked.conditioning.steered_set = SteeredSet::kFull;
  EXPECT_EQ(estimate_memory(asked).weights, 4 * kParameters);
  asked.on_gpu = false;
  EXPECT_EQ(estimate_memory(asked).weights, 1234);
  // Attention's gradients pass the feed-forward layers, if those are frozen.
  asked.conditioning.steered_set = SteeredSet::kAttention;
  EXPECT_EQ(estimate_memory(asked).weights, 1234);
  asked.conditioning.freeze_shared = true;
  EXPECT_EQ(estimate_memory(asked).weights, 1234 + 4 * (kParameters - 3 * 192));
}

// T5.1.1-large: self-attention in 48 layers and cross-attention in 24 are 38.6%
// of 783,150,080; of the first 12 of both stacks 19.3%.
TEST(MemoryEstimate, CountsTheAttentionsOfBothStacks) {
  ModelShape shape;
  shape.width = shape.query_width = shape.key_width = 1024;
  shape.layers = 48;
  shape.encoder_layers = 24;
  ConditioningOptions options;
  options.steered_set = SteeredSet::kAttention;
  EXPECT_EQ(steered_parameters(shape, options), 301'989'888);
  options.attention.layers = 12;
  EXPECT_EQ(steered_parameters(shape, options), 301'989'888 / 2);
}

TEST(MemoryEstimate, ARankHasItsShareOfAStep) {
  MemoryQuestion asked = question();
  const MemoryEstimate whole = estimate_memory(asked);
  EXPECT_EQ(whole.cache, 24 * kPage * 3 * 2 * 4 * 4);
  asked.ranks = 3;
  const MemoryEstimate third = estimate_memory(asked);
  EXPECT_EQ(third.cache, whole.cache / 3);
  EXPECT_EQ(third.rollout, whole.rollout / 3);
  EXPECT_EQ(third.scoring, whole.scoring / 3);
  EXPECT_EQ(third.held(), whole.held());
  EXPECT_EQ(prompts_of_rank(asked), 2);
  EXPECT_EQ(parts_of_rank(asked), 1);
  asked.training.gradient_accumulation = 6;
  EXPECT_EQ(parts_of_rank(asked), 2);
  // Its slices are kept until those of the ranks before are added.
  asked.ranks = 2;
  EXPECT_EQ(estimate_memory(asked).gradients, 3 * whole.gradients);
  asked.ranks = 1;
  EXPECT_EQ(estimate_memory(asked).gradients, 2 * whole.gradients);
  asked.ranks = 3;
  asked.training.gradient_accumulation = 2;
  EXPECT_THROW(estimate_memory(asked), CallerError);
  asked.training.gradient_accumulation = 1;
  asked.ranks = 4;
  EXPECT_THROW(estimate_memory(asked), CallerError);
}

TEST(MemoryEstimate, ShardsWhatTheCaseAllows) {
  MemoryQuestion asked = question();
  asked.conditioning.steered_set = SteeredSet::kFull;
  EXPECT_EQ(sharding_of(asked), (Sharding{false, false}));
  asked.ranks = 3;
  EXPECT_EQ(sharding_of(asked), (Sharding{true, false}));
  asked.training.weighting_per = WeightingPer::kBatch;
  EXPECT_EQ(sharding_of(asked), (Sharding{true, true}));
  const MemoryEstimate whole = estimate_memory(asked);
  asked.sharding = sharding_of(asked);
  const MemoryEstimate shards = estimate_memory(asked);
  EXPECT_EQ(whole.optimizer, 2 * 4 * 2 * kParameters);
  EXPECT_EQ(shards.optimizer, (whole.optimizer + 2) / 3);
  EXPECT_EQ(
      whole.masters - shards.masters,
      4 * 2 * kParameters - (4 * 2 * kParameters + 2) / 3);
  EXPECT_EQ(shards.evaluation, 0);
  // An evaluation brings the other ranks' copies.
  asked.training.evaluation.every = 5;
  EXPECT_EQ(
      estimate_memory(asked).evaluation,
      whole.masters - shards.masters + shards.rollout);
  asked.training.optimizer.kind = OptimizerKind::kAdafactor;
  EXPECT_EQ(sharding_of(asked), (Sharding{true, false}));
  asked.training.optimizer.kind = OptimizerKind::kAdamW;
  asked.conditioning.steered_set = SteeredSet::kLora;
  EXPECT_EQ(sharding_of(asked), (Sharding{true, false}));
}

TEST(MemoryEstimate, AsText) {
  EXPECT_EQ(bytes_as_text(1'340'000'000), "1.4 GB");
  EXPECT_EQ(bytes_as_text(23'000'000'001), "24 GB");
  EXPECT_EQ(bytes_as_text(56'500'000), "57 MB");
}

}  // namespace
}  // namespace moft::test
