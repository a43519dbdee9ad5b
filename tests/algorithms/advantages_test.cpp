#include "moft/algorithms/advantages.h"

#include <fstream>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/baselines.h"
#include "moft/algorithms/rewards.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

at::Tensor row(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor labels(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

// `advantages` as the rewards of an update without a baseline.
NormalisedAdvantages normalise_with_divisor(
    const at::Tensor& advantages,
    AdvantageNormalisation normalisation,
    const at::Tensor& groups = {}) {
  return make_advantages(
      {advantages, at::zeros_like(advantages), groups}, normalisation);
}

at::Tensor normalise_advantages(
    const at::Tensor& advantages,
    AdvantageNormalisation normalisation,
    const at::Tensor& groups = {}) {
  return normalise_with_divisor(advantages, normalisation, groups).advantages;
}

void expect_near(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_LE((a - b).abs().max().item<double>(), tolerance) << a << b;
}

// A random batch with a value network's baseline, worked out beside the paper.
TEST(Advantages, EqualTheReferenceBatch) {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) +
      "/tests/reference/algorithms/advantages.json");
  const auto json = nlohmann::json::parse(file);
  const auto matrix = [&](const char* name) {
    std::vector<at::Tensor> rows;
    for (const auto& item : json.at(name)) {
      rows.push_back(row(item.get<std::vector<double>>()));
    }
    return at::stack(rows);
  };
  const auto vector = [&](const char* name) {
    return row(json.at(name).get<std::vector<double>>());
  };
  const at::Tensor alpha = row({json.at("alpha").get<double>()})[0];
  const at::Tensor rewards = scalarise(matrix("R"), vector("w"));
  const at::Tensor values = scalarise(matrix("V"), vector("w"));
  const at::Tensor l = vector("logratio");
  const at::Tensor literal = regularised_reward(rewards, l, alpha) - values;
  const at::Tensor scaled = regularised_reward(rewards - values, l, alpha);
  const auto batch = AdvantageNormalisation::kBatch;
  expect_near(literal, vector("A_literal"), 1e-15);
  expect_near(scaled, vector("A_scaled"), 1e-15);
  expect_near(
      normalise_advantages(literal, batch), vector("A_literal_norm"), 1e-13);
  expect_near(
      normalise_advantages(scaled, batch), vector("A_scaled_norm"), 1e-13);
  // One weighting and strength per row gives the same when all rows agree.
  const at::Tensor by_row = vector("w").expand({rewards.numel(), 2});
  const at::Tensor strengths = alpha.expand({rewards.numel()});
  expect_near(scalarise(matrix("R"), by_row), rewards, 0.0);
  expect_near(
      regularised_reward(rewards, l, strengths),
      regularised_reward(rewards, l, alpha),
      0.0);
}

TEST(Scalarise, UsesEachRowsOwnWeighting) {
  const at::Tensor rewards = at::stack({row({1, 2}), row({3, 4})});
  const at::Tensor weights = at::stack({row({1, 0}), row({0.25, 0.75})});
  expect_near(scalarise(rewards, weights), row({1, 3.75}), 0.0);
  EXPECT_THROW(scalarise(rewards, row({1, 0, 0})), CallerError);
  EXPECT_THROW(scalarise(row({1, 2}), row({1, 0})), CallerError);
  EXPECT_THROW(
      regularised_reward(row({1, 2}), row({1, 2, 3}), row({0.1})[0]),
      CallerError);
}

TEST(RegularisedReward, EndsOfTheKlStrength) {
  const at::Tensor reward = row({0.5, 2}), l = row({3, -1});
  expect_near(regularised_reward(reward, l, row({0})[0]), reward, 0.0);
  expect_near(regularised_reward(reward, l, row({1})[0]), -l, 0.0);
  expect_near(regularised_reward(reward, l, row({0, 1})), row({0.5, 1}), 0.0);
}

TEST(Normalise, MeanZeroDeviationOnePerBatchAndPerGroup) {
  const at::Tensor a = row({1, 5, -2, 0.5, 30, 10});
  const at::Tensor groups = labels({7, -1, 7, -1, 7, -1});
  const at::Tensor batch =
      normalise_advantages(a, AdvantageNormalisation::kBatch);
  EXPECT_NEAR(batch.mean().item<double>(), 0.0, 1e-15);
  EXPECT_NEAR(batch.square().mean().item<double>(), 1.0, 1e-8);
  const at::Tensor by_group =
      normalise_advantages(a, AdvantageNormalisation::kGroup, groups);
  for (const std::int64_t label : {7, -1}) {
    const at::Tensor own = by_group.masked_select(groups.eq(label));
    EXPECT_NEAR(own.mean().item<double>(), 0.0, 1e-15);
    EXPECT_NEAR(own.square().mean().item<double>(), 1.0, 1e-8);
  }
  expect_near(normalise_advantages(a, AdvantageNormalisation::kNone), a, 0.0);
  // Two rows are -1 and 1 whatever they were.
  expect_near(
      normalise_advantages(row({3, 9}), AdvantageNormalisation::kBatch),
      row({-1, 1}),
      1e-8);
}

TEST(Normalise, ConstantBatchesAreExactlyZero) {
  for (const double value : {0.0, 0.1, 1.0 / 3.0, -1e9, 1e-12}) {
    const at::Tensor same = at::full({7}, value, at::kDouble);
    expect_near(
        normalise_advantages(same, AdvantageNormalisation::kBatch),
        at::zeros({7}, at::kDouble),
        0.0);
  }
  const at::Tensor groups = labels({1, 1, 1, 2, 2, 3});
  const at::Tensor mixed = normalise_advantages(
      row({0.1, 0.1, 0.1, 4, 6, 5}), AdvantageNormalisation::kGroup, groups);
  expect_near(mixed, row({0, 0, 0, -1, 1, 0}), 1e-8);
  EXPECT_EQ(mixed[0].item<double>(), 0.0);
  EXPECT_EQ(mixed[5].item<double>(), 0.0);
}

TEST(Normalise, TellsWhatItDividedBy) {
  const at::Tensor a = row({1, 3, 7, 7, 2, 4});
  const at::Tensor groups = labels({0, 0, 1, 1, 2, 2});
  const auto none = normalise_with_divisor(a, AdvantageNormalisation::kNone);
  expect_near(none.divisor, at::ones({6}, at::kDouble), 0.0);
  const auto group =
      normalise_with_divisor(a, AdvantageNormalisation::kGroup, groups);
  EXPECT_EQ(group.divisor[2].item<double>(), 1.0);
  EXPECT_NEAR(group.divisor[0].item<double>(), 1.0, 1e-7);
  const auto batch = normalise_with_divisor(a, AdvantageNormalisation::kBatch);
  expect_near(batch.advantages * batch.divisor, a - a.mean(), 1e-14);
}

constexpr AdvantageNormalisation kAll[] = {
    AdvantageNormalisation::kNone,
    AdvantageNormalisation::kBatch,
    AdvantageNormalisation::kGroup};

// Leaving one of seven equal numbers out does not give that number again to
// the last bit, and a deviation of 1e-17 must not be divided by.
TEST(MakeAdvantages, RewardsThatTieGiveExactlyZeroWhateverTheBaselineLeaves) {
  const at::Tensor groups = labels({0, 0, 0, 0, 0, 0, 0});
  for (const double reward : {0.0, 0.1, 1.0 / 3.0, -7.3, 1e6}) {
    const at::Tensor near = at::full({7}, reward, at::kDouble) +
                            1e-10 * reward * at::arange(7, at::kDouble) / 6;
    const at::Tensor left_out = leave_one_out_baseline(near, groups);
    const at::Tensor values = at::full({7}, 0.4, at::kDouble);
    for (const AdvantageNormalisation kind : kAll) {
      for (const auto& result :
           {make_advantages({near, left_out, groups, true}, kind),
            make_advantages({near, values, groups, false}, kind)}) {
        expect_near(result.advantages, at::zeros({7}, at::kDouble), 0.0);
        expect_near(result.divisor, at::ones({7}, at::kDouble), 0.0);
      }
    }
  }
}

// Each prompt has a weighting of its own, so equal answers get .3 here and .7
// there; with its group's baseline no row has an advantage.
TEST(MakeAdvantages, GroupsThatTieAtDifferentRewards) {
  const at::Tensor rewards = row({0.3, 0.3, 0.3, 0.7, 0.7, 0.7});
  const at::Tensor groups = labels({0, 0, 0, 1, 1, 1});
  const at::Tensor left_out = leave_one_out_baseline(rewards, groups);
  for (const AdvantageNormalisation kind : kAll) {
    const auto result =
        make_advantages({rewards, left_out, groups, true}, kind);
    expect_near(result.advantages, at::zeros({6}, at::kDouble), 0.0);
    expect_near(result.divisor, at::ones({6}, at::kDouble), 0.0);
  }
  // The mean of all is not a group's own: the rows differ.
  const at::Tensor mean = rewards.mean().expand_as(rewards);
  const auto batch = make_advantages(
      {rewards, mean, groups, false}, AdvantageNormalisation::kBatch);
  expect_near(batch.advantages, row({-1, -1, -1, 1, 1, 1}), 1e-6);
  expect_near(batch.divisor, at::full({6}, 0.2, at::kDouble), 1e-7);
}

TEST(MakeAdvantages, ATiedGroupLeavesTheOthersAlone) {
  const at::Tensor rewards = row({0.1, 0.1, 0.1, 0, 1, 0});
  const at::Tensor groups = labels({0, 0, 0, 1, 1, 1});
  const at::Tensor left_out = leave_one_out_baseline(rewards, groups);
  const auto none = make_advantages(
      {rewards, left_out, groups, true}, AdvantageNormalisation::kNone);
  expect_near(none.advantages, row({0, 0, 0, -0.5, 1, -0.5}), 0.0);
  const auto group = make_advantages(
      {rewards, left_out, groups, true}, AdvantageNormalisation::kGroup);
  EXPECT_EQ(group.divisor[0].item<double>(), 1.0);
  EXPECT_NEAR(group.divisor[3].item<double>(), std::sqrt(0.5), 1e-7);
}

TEST(MakeAdvantages, NothingIsDividedByLessThanTheFloor) {
  const at::Tensor rewards = row({0.5, 0.5 + 1e-6, 0.5, 0.5 - 1e-6});
  const at::Tensor groups = labels({0, 0, 0, 0});
  const at::Tensor left_out = leave_one_out_baseline(rewards, groups);
  for (const AdvantageNormalisation kind :
       {AdvantageNormalisation::kBatch, AdvantageNormalisation::kGroup}) {
    const auto result =
        make_advantages({rewards, left_out, groups, true}, kind);
    expect_near(result.divisor, at::full({4}, kLeastDivisor, at::kDouble), 0.0);
    expect_near(result.advantages, (rewards - left_out) / kLeastDivisor, 1e-12);
  }
}

TEST(MakeAdvantages, OneRowAloneIsNoTieWithoutNormalisation) {
  const at::Tensor one = labels({0});
  const auto result = make_advantages(
      {row({0.75}), row({0.5}), one, false}, AdvantageNormalisation::kNone);
  EXPECT_EQ(result.advantages[0].item<double>(), 0.25);
}

// What a baseline leaves of ties is rounding; without one they are what they
// are, unless they are normalised.
TEST(MakeAdvantages, TiesStayWhereThereIsNoBaseline) {
  const at::Tensor rewards = row({0.5, 0.5, 0.5, 0.5});
  const at::Tensor groups = labels({0, 0, 1, 1});
  const auto of = [&](AdvantageNormalisation kind) {
    return make_advantages({rewards, {}, groups, false}, kind);
  };
  const auto none = of(AdvantageNormalisation::kNone);
  EXPECT_TRUE(at::equal(none.advantages, rewards));
  EXPECT_TRUE(at::equal(none.divisor, at::ones_like(rewards)));
  for (const AdvantageNormalisation kind :
       {AdvantageNormalisation::kBatch, AdvantageNormalisation::kGroup})
    EXPECT_TRUE(at::equal(of(kind).advantages, at::zeros_like(rewards)));
}

TEST(MakeAdvantages, ARewardThatIsNoNumberStopsTheRun) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(),
        -std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(
        make_advantages(
            {row({1, 1, bad}), row({1, 1, 1}), labels({0, 0, 0}), false},
            AdvantageNormalisation::kBatch),
        WorldError);
  }
}

TEST(ShareOfTies, CountsGroupsOfTwoAndMore) {
  const at::Tensor rewards = row({1, 1, 0.2, 0.3, 5});
  EXPECT_EQ(share_of_ties(rewards, labels({0, 0, 1, 1, 2})), 0.5);
  EXPECT_EQ(share_of_ties(rewards, labels({0, 1, 2, 3, 4})), 0.0);
  EXPECT_EQ(share_of_ties(row({3, 3}), labels({0, 1})), 1.0);
}

TEST(Normalise, RefusesUnfitInput) {
  const auto group = AdvantageNormalisation::kGroup;
  EXPECT_THROW(normalise_advantages(row({}), group), CallerError);
  EXPECT_THROW(normalise_advantages(row({1, 2}), group), CallerError);
  EXPECT_THROW(
      normalise_advantages(row({1, 2}), group, labels({1})), CallerError);
}

TEST(LeaveOneOut, HandWorkedGroups) {
  const at::Tensor rewards = row({1, 10, 2, 20, 6});
  const at::Tensor groups = labels({0, 5, 0, 5, 0});
  const at::Tensor baseline = leave_one_out_baseline(rewards, groups);
  expect_near(baseline, row({4, 20, 3.5, 10, 1.5}), 0.0);
  // Advantages of a group sum to zero; exactly so in these dyadic numbers.
  const at::Tensor advantages = rewards - baseline;
  for (const std::int64_t label : {0, 5}) {
    const at::Tensor own = advantages.masked_select(groups.eq(label));
    EXPECT_EQ(own.sum().item<double>(), 0.0);
  }
}

// n / (n - 1) times the advantage over the group's mean.
TEST(LeaveOneOut, IsTheMeanBaselineStretched) {
  const at::Tensor rewards = at::arange(8, at::kDouble).square() / 7;
  const at::Tensor groups = at::zeros({8}, at::kLong);
  expect_near(
      rewards - leave_one_out_baseline(rewards, groups),
      (rewards - rewards.mean().expand_as(rewards)) * (8.0 / 7.0),
      1e-14);
}

TEST(LeaveOneOut, NamesTheLonelySample) {
  try {
    leave_one_out_baseline(row({1, 2, 3}), labels({4, 4, 9}));
    FAIL();
  } catch (const CallerError& error) {
    EXPECT_NE(std::string(error.what()).find("group 9"), std::string::npos);
  }
}

}  // namespace
}  // namespace moft
