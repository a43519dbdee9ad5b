// What steering promises of a whole model (design: conditioning).
#include <ATen/core/grad_mode.h>

#include "tests/generation/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::distance;
using test::mixed;
using test::normal_tensor;
using test::same_bits;
using test::tiny_batch;

std::vector<Coefficients> test_steerings() {
  return {
      mixed(0.0, {0.3, 0.7}),
      mixed(0.4, {0.6, 0.4}),
      mixed(0.0, {1.0, 0.0}),
      Coefficients::frozen_reference()};
}

class SteeringTest : public test::TinyPolicyTest,
                     public testing::WithParamInterface<SteeredSet> {
 protected:
  at::Tensor plain_logits() const {
    const LoadedModel plain = load_language_model(base());
    return logits(
        *plain.model,
        tiny_batch(),
        RowSteering::uniform(Coefficients::frozen_reference()));
  }
};

TEST_P(SteeringTest, AnUntrainedPolicyIsTheReferenceBitForBit) {
  const auto policy = make(GetParam());
  const at::Tensor expected = plain_logits();
  for (const Coefficients& c : test_steerings()) {
    const auto steering = RowSteering::uniform(c);
    EXPECT_TRUE(
        same_bits(logits(policy->model(), tiny_batch(), steering), expected));
  }
}

TEST_P(SteeringTest, AnUntrainedPolicyDecodesLikeTheReferenceBitForBit) {
  const auto policy = make(GetParam());
  const auto all = test_steerings();
  const auto decoder = policy->model().open_decoder({});
  const auto slots =
      decoder
          ->admit(test::decode_group(
              {{3, 9, 0}}, {all[0], all[1], all[3]}, {{0, 0}, {0, 1}, {0, 2}}))
          .slots;
  at::Tensor rows = decoder->prefill().logits;
  for (const std::int32_t token : {5, 0, 17}) {
    EXPECT_TRUE(same_bits(rows[0], rows[2]));
    EXPECT_TRUE(same_bits(rows[1], rows[2]));
    rows = decoder->step(slots, std::vector<std::int32_t>(3, token));
  }
}

TEST_P(SteeringTest, BetaOneIsTheReferenceBitForBit) {
  const auto policy = make_trained(GetParam());
  const auto reference = RowSteering::uniform(mixed(1.0, {0.3, 0.7}));
  EXPECT_TRUE(same_bits(
      logits(policy->model(), tiny_batch(), reference), plain_logits()));
}

TEST_P(SteeringTest, OutputsFollowTheWeighting) {
  const auto policy = make_trained(GetParam());
  const auto answer = [&](double w) {
    const auto c = RowSteering::uniform(mixed(0.0, {w, 1 - w}));
    return logits(policy->model(), tiny_batch(), c);
  };
  EXPECT_GT(distance(answer(0.2), answer(0.3)), 1e-4);
  EXPECT_GT(distance(answer(0.2), plain_logits()), 1e-4);
}

TEST_P(SteeringTest, RowsOfSeveralSteeringsEqualEachAlone) {
  const auto policy = make_trained(GetParam());
  const ScoreBatch batch = tiny_batch();
  const auto all = test_steerings();
  const auto many = RowSteering::per_row(all, {0, 1}, at::kCPU);
  const at::Tensor together = logits(policy->model(), batch, many);
  const at::Tensor first =
      logits(policy->model(), batch, RowSteering::uniform(all[0]));
  const at::Tensor second =
      logits(policy->model(), batch, RowSteering::uniform(all[1]));
  EXPECT_LT(distance(together.narrow(0, 0, 7), first.narrow(0, 0, 7)), 1e-5);
  EXPECT_LT(distance(together.narrow(0, 7, 1), second.narrow(0, 7, 1)), 1e-5);
}

// The way belongs to the job, not to the batch: under either a row's answer is
// the same, bit for bit, alone and beside any others.
TEST_P(SteeringTest, NoRowDependsOnAnothersPresence) {
  const auto policy = make_trained(GetParam());
  const at::NoGradGuard no_gradient;
  auto all = test_steerings();
  all.push_back(mixed(0.2, {0.5, 0.5}));
  for (const std::int64_t expected : {1, 5}) {
    policy->expect_steerings(expected);
    DecodeGroup group;
    group.prompts = {{3, 9, 0}, {7, 7}};
    group.steerings = all;
    for (std::int64_t k = 0; k < 5; ++k)
      group.rows.push_back({k % 2, k});
    group.max_new_tokens = {3};
    std::vector<std::vector<at::Tensor>> alone(5);
    for (std::size_t k = 0; k < 5; ++k) {
      DecodeGroup one = group;
      one.rows = {group.rows[k]};
      const auto decoder = policy->model().open_decoder({});
      const auto slots = decoder->admit(one).slots;
      alone[k].push_back(decoder->prefill().logits[0].clone());
      alone[k].push_back(
          decoder->step(slots, std::vector<std::int32_t>{5})[0].clone());
    }
    const auto decoder = policy->model().open_decoder({});
    const auto slots = decoder->admit(group).slots;
    const at::Tensor first = decoder->prefill().logits;
    for (std::size_t k = 0; k < 5; ++k) {
      const auto row = static_cast<std::int64_t>(k);
      EXPECT_TRUE(same_bits(first[row], alone[k][0])) << k;
    }
    // Fewer steerings than sources are left.
    for (const std::size_t k : {0, 2, 3})
      decoder->evict(slots[k]);
    const at::Tensor next = decoder->step(
        std::vector<Slot>{slots[1], slots[4]}, std::vector<std::int32_t>{5, 5});
    EXPECT_TRUE(same_bits(next[0], alone[1][1]));
    EXPECT_TRUE(same_bits(next[1], alone[4][1]));
  }
}

// d loss / d theta_i along a random direction, by central differences.
TEST_P(SteeringTest, GradientsAreTheSlopesOfTheLoss) {
  const auto policy = make_trained(GetParam());
  Conditioning& conditioning = *policy->conditioning();
  const auto c = mixed(0.2, {0.25, 0.75});
  const at::Tensor push = normal_tensor({8, 29}, 1).to(at::kDouble);
  const auto loss = [&] {
    const at::Tensor values = policy->model().completion_logits(
        tiny_batch(), RowSteering::uniform(c));
    return (values.to(at::kDouble) * push).sum();
  };
  conditioning.zero_gradient();
  conditioning.note_steerings({c});
  conditioning.begin_gradient(c);
  loss().backward();
  conditioning.end_gradient(c);
  at::NoGradGuard no_gradient;
  const auto& trained = conditioning.trained();
  const auto gradients = conditioning.gradients();
  for (std::size_t copy = 0; copy < 2; ++copy) {
    double expected = 0;
    std::vector<at::Tensor> directions;
    for (std::size_t p = 0; p < trained.size(); ++p) {
      if (trained[p].copy != copy) continue;
      const auto row = 2000 + static_cast<std::uint32_t>(p);
      directions.push_back(normal_tensor(trained[p].master.sizes().vec(), row));
      expected +=
          gradients[p].coefficient *
          (gradients[p].tensor * directions.back()).sum().item<double>();
    }
    const auto loss_at = [&](double step) {
      std::size_t d = 0;
      std::vector<at::Tensor> saved;
      for (const auto& entry : trained) {
        if (entry.copy != copy) continue;
        saved.push_back(entry.master.clone());
        entry.master.add_(directions[d++] * step);
      }
      conditioning.masters_changed();
      const double value = loss().item<double>();
      d = 0;
      for (const auto& entry : trained) {
        if (entry.copy == copy) entry.master.copy_(saved[d++]);
      }
      conditioning.masters_changed();
      return value;
    };
    constexpr double kStep = 2e-3;
    const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
    EXPECT_NEAR(slope, expected, 0.01 * std::abs(expected) + 0.05) << copy;
    EXPECT_GT(std::abs(expected), 0.5) << copy;
  }
}

TEST_P(SteeringTest, AnExportedDirectoryIsTheSteeredPolicy) {
  const auto policy = make_trained(GetParam());
  const fs::path published = folder_ / "policy";
  save_policy(*policy, base(), published, "card\n");
  const Steering steering{Weighting({0.3, 0.7}), 0.2};
  export_policy(*policy, published, steering, folder_ / "exported");
  const auto exported = load_policy(folder_ / "exported");
  EXPECT_EQ(exported->conditioning(), nullptr);
  const auto c = RowSteering::uniform(policy->coefficients_of(steering));
  EXPECT_LT(
      distance(
          logits(
              exported->model(),
              tiny_batch(),
              RowSteering::uniform(Coefficients::frozen_reference())),
          logits(policy->model(), tiny_batch(), c)),
      1e-5);
  const std::string text = "to be or not.";
  EXPECT_EQ(
      exported->tokenizer().encode(text), policy->tokenizer().encode(text));
  EXPECT_EQ(
      exported->model().info().end_tokens, policy->model().info().end_tokens);
  EXPECT_THROW(
      export_policy(*policy, published, steering, folder_ / "exported"),
      CallerError);
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    SteeringTest,
    testing::Values(SteeredSet::kFull, SteeredSet::kLora),
    [](const auto& set) { return std::string(enum_name(set.param)); });

class FullCopiesTest : public test::TinyPolicyTest {};

TEST_F(FullCopiesTest, AOneHotWeightingIsThatCopyBitForBit) {
  const auto policy = make_trained(SteeredSet::kFull);
  const Steering corner{Weighting::corner(2, 1), 0.1};
  export_policy(*policy, base(), corner, folder_ / "copy");
  const auto copy = load_policy(folder_ / "copy");
  const auto& steered = policy->model().steerable().parameters;
  const auto& plain = copy->model().steerable().parameters;
  ASSERT_EQ(steered.size(), plain.size());
  for (std::size_t p = 0; p < plain.size(); ++p) {
    EXPECT_TRUE(same_bits(plain[p]->reference(), steered[p]->copies()[1]));
  }
  const auto c = RowSteering::uniform(policy->coefficients_of(corner));
  EXPECT_TRUE(same_bits(
      logits(policy->model(), tiny_batch(), c),
      logits(
          copy->model(),
          tiny_batch(),
          RowSteering::uniform(Coefficients::frozen_reference()))));
}

}  // namespace
}  // namespace moft
