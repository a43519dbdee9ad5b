// What a rank computes and sends, by hand.
#include "moft/training/step_work.h"

#include <gtest/gtest.h>

namespace moft::test {
namespace {

// Llama of 3 layers, width 8, 4 heads of 2 on 2 for keys, 16 wide inside.
MemoryQuestion question() {
  MemoryQuestion question;
  question.shape.parameters = 3384;
  question.shape.vocabulary = 100;
  question.shape.width = 8;
  question.shape.layers = 3;
  question.shape.query_width = 8;
  question.shape.key_width = 4;
  question.shape.feed_forward = 16;
  question.objectives = 2;
  question.prompt_tokens = 10;
  question.training.prompts_per_step = 12;
  question.training.samples_per_prompt = 4;
  question.training.max_new_tokens = 5;
  question.conditioning.lora.rank = 2;
  return question;
}

// Two adapters of rank 2 on 3 layers, whose maps have 128 rows and columns.
constexpr std::int64_t kTrained = 2 * 2 * 3 * 128;

TEST(StepWork, OfOneRankIsTheWholeStep) {
  const StepWork work = work_of_rank(question(), {7.5, 3.0});
  EXPECT_EQ(work.prompts, 12);
  EXPECT_EQ(work.rows, 48);
  EXPECT_DOUBLE_EQ(work.prompt_tokens, 90.0);
  EXPECT_DOUBLE_EQ(work.new_tokens, 144.0);
  // Read for the norm, then gradient, master and two moments.
  EXPECT_EQ(work.optimizer_bytes, kTrained * (4 + 4 + 8 + 8 + 8));
  EXPECT_EQ(work.sent_bytes, 0);
}

TEST(StepWork, RanksSendTheirPartsAndTheirSum) {
  for (const std::int64_t ranks : {2, 3, 4, 6}) {
    MemoryQuestion asked = question();
    asked.ranks = ranks;
    const StepWork work = work_of_rank(asked, {7.5, 3.0});
    EXPECT_EQ(work.prompts, 12 / ranks);
    EXPECT_EQ(work.rows, 48 / ranks);
    // All but its own share goes out, then its sum to all others.
    EXPECT_EQ(work.sent_bytes, 2 * 4 * kTrained * (ranks - 1) / ranks);
    asked.training.prompts_per_step = 24;
    asked.training.gradient_accumulation = 2 * ranks;
    EXPECT_EQ(
        work_of_rank(asked, {7.5, 3.0}).sent_bytes,
        3 * 4 * kTrained * (ranks - 1) / ranks);
  }
  // Every rank sends half of 3 parts of 10 numbers, and half of their sum.
  EXPECT_EQ(bytes_of_sum(10, 3, 2), 3 * 20 + 20);
}

// One mixture has one gradient; masters that one rank updated go to the others.
TEST(StepWork, CopiesSendWhatTheirCaseNeeds) {
  MemoryQuestion asked = question();
  asked.ranks = 4;
  asked.conditioning.steered_set = SteeredSet::kFull;
  EXPECT_EQ(work_of_rank(asked, {}).sent_bytes, 2 * 4 * 2 * 3384 * 3 / 4);
  asked.training.weighting_per = WeightingPer::kBatch;
  const StepWork one = work_of_rank(asked, {});
  EXPECT_EQ(one.sent_bytes, 2 * 4 * 3384 * 3 / 4);
  EXPECT_EQ(one.optimizer_bytes, 2 * 3384 * (4 + 28));
  asked.sharding.optimizer = true;
  const StepWork sharded = work_of_rank(asked, {});
  EXPECT_EQ(sharded.sent_bytes, one.sent_bytes + 4 * 2 * 3384 * 3 / 4);
  EXPECT_EQ(sharded.optimizer_bytes, 2 * 3384 * (4 + 7));
  // Copies that ranks share: the mixture of both instead of both.
  asked.sharding.copies = true;
  EXPECT_EQ(
      work_of_rank(asked, {}).sent_bytes, one.sent_bytes + 4 * 3384 * 3 / 4);
}

TEST(StepWork, EveryUpdateIsSent) {
  MemoryQuestion asked = question();
  asked.ranks = 2;
  const StepWork one = work_of_rank(asked, {7.5, 3.0});
  asked.training.algorithm = Algorithm::kGrpo;
  asked.training.grpo.steps_per_generation = 3;
  asked.training.grpo.num_iterations = 2;
  const StepWork several = work_of_rank(asked, {7.5, 3.0});
  EXPECT_EQ(several.passes, 2);
  EXPECT_EQ(several.sent_bytes, 6 * one.sent_bytes);
  EXPECT_EQ(several.optimizer_bytes, 6 * one.optimizer_bytes);
}

TEST(StepWork, AValueNetworkSendsItsGradientsToo) {
  MemoryQuestion asked = question();
  asked.ranks = 2;
  const std::int64_t policy = work_of_rank(asked, {}).sent_bytes;
  asked.training.baseline = Baseline::kValue;
  EXPECT_EQ(work_of_rank(asked, {}).sent_bytes, policy + 4 * 3384);
}

TEST(StepWork, APassIsTheLineThroughTwoSteps) {
  // 2 s for 100 prompt tokens, .01 s for each new one.
  const PassSeconds pass = pass_through({50.0, 2.5}, {400.0, 6.0}, 100.0);
  EXPECT_NEAR(pass.fresh, 0.01, 1e-12);
  EXPECT_NEAR(pass.prompt, 0.02, 1e-12);
  EXPECT_EQ(pass.once, 0.0);
  // Noise: no line is below zero.
  const PassSeconds falling = pass_through({50.0, 7.0}, {400.0, 6.0}, 100.0);
  EXPECT_DOUBLE_EQ(falling.fresh, 6.0 / 400.0);
  EXPECT_EQ(falling.prompt, 0.0);
  const PassSeconds steep = pass_through({200.0, 1.0}, {400.0, 6.0}, 100.0);
  EXPECT_DOUBLE_EQ(steep.fresh, 6.0 / 400.0);
  EXPECT_EQ(steep.prompt, 0.0);
  // Answers of one token have no shorter ones.
  const PassSeconds same = pass_through({24.0, 3.0}, {24.0, 3.0}, 100.0);
  EXPECT_DOUBLE_EQ(same.fresh, 3.0 / 24.0);
}

TEST(StepWork, APredictionAddsItsParts) {
  StepWork work;
  work.rows = 4;
  work.prompt_tokens = 10.0;
  work.new_tokens = 20.0;
  work.optimizer_bytes = 1000;
  work.sent_bytes = 300;
  StepRates rates;
  rates.rollout = {0.5, 0.1, 0.2};
  rates.policy = {0.0, 0.2, 0.3};
  rates.reward = 0.25;
  rates.optimizer = 0.001;
  rates.sending = 0.01;
  const StepTimes step = predict_step(work, rates);
  EXPECT_DOUBLE_EQ(step.rollout, 5.5);
  EXPECT_DOUBLE_EQ(step.policy, 8.0);
  EXPECT_DOUBLE_EQ(step.rewards, 1.0);
  EXPECT_DOUBLE_EQ(step.optimizer, 1.0);
  EXPECT_DOUBLE_EQ(step.reference, 0.0);
  EXPECT_DOUBLE_EQ(step.ranks, 3.0);
  EXPECT_DOUBLE_EQ(step.total(), 18.5);
}

}  // namespace
}  // namespace moft::test
