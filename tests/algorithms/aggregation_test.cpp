// Rewards on one scale, beside TRL's numbers.
#include "moft/algorithms/aggregation.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/rewards.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

using Vector = std::vector<double>;

at::Tensor row(const Vector& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor matrix(const std::vector<Vector>& rows) {
  std::vector<at::Tensor> tensors;
  for (const Vector& values : rows)
    tensors.push_back(row(values));
  return at::stack(tensors);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

struct Case {
  std::string name;
  at::Tensor rewards, weights, groups, normalised, advantages;
};

// tests/reference/algorithms/trl_aggregation.py made them with TRL 1.16.0.
std::vector<Case> trl_cases() {
  const std::string path = std::string(MOFT_SOURCE_DIR) +
                           "/tests/reference/algorithms/trl_aggregation.json";
  std::ifstream file(path);
  const auto json = nlohmann::json::parse(file);
  std::vector<Case> cases;
  for (const auto& [name, item] : json.items()) {
    const at::Tensor rewards =
        matrix(item.at("rewards").get<std::vector<Vector>>());
    const auto size = item.at("num_generations").get<std::int64_t>();
    cases.push_back(
        {name,
         rewards,
         row(item.at("reward_weights").get<Vector>()),
         at::arange(rewards.size(0) / size, at::kLong).repeat_interleave(size),
         matrix(item.at("reward_k").get<std::vector<Vector>>()),
         row(item.at("normalize_then_sum").get<Vector>())});
  }
  return cases;
}

TEST(NormaliseInGroups, EqualsTrlInEveryObjective) {
  const auto cases = trl_cases();
  ASSERT_GE(cases.size(), 3u);
  for (const Case& c : cases) {
    EXPECT_LT(
        largest_difference(
            normalise_in_groups(c.rewards, c.groups), c.normalised),
        1e-12)
        << c.name;
  }
}

TEST(NormaliseThenSum, EqualsTrlsAdvantages) {
  for (const Case& c : trl_cases()) {
    const at::Tensor sum =
        scalarise(normalise_in_groups(c.rewards, c.groups), c.weights);
    // The batch as one group.
    const at::Tensor batch = at::zeros({sum.numel()}, at::kLong);
    const at::Tensor advantages =
        normalise_in_groups(sum.unsqueeze(1), batch).select(1, 0);
    EXPECT_LT(largest_difference(advantages, c.advantages), 1e-12) << c.name;
  }
}

// The step's own chain: population deviation, no epsilon. One factor, common
// to the batch, is all that differs.
TEST(NormaliseThenSum, IsTrlsUpToOneFactorInAStep) {
  for (const Case& c : trl_cases()) {
    const at::Tensor sum =
        scalarise(normalise_in_groups(c.rewards, c.groups), c.weights);
    const at::Tensor ours = make_advantages(
                                {sum, batch_mean_baseline(sum), c.groups},
                                AdvantageNormalisation::kBatch)
                                .advantages;
    const double factor = ours.square().sum().sqrt().item<double>() /
                          c.advantages.square().sum().sqrt().item<double>();
    EXPECT_LT(largest_difference(ours, c.advantages * factor), 1e-9) << c.name;
    const auto rows = static_cast<double>(sum.numel());
    EXPECT_NEAR(factor, std::sqrt(rows / (rows - 1)), 1e-3) << c.name;
  }
}

// Two objectives on scales a hundred apart count the same.
TEST(NormaliseInGroups, TakesTheScaleAway) {
  const at::Tensor groups = at::tensor({0, 0, 0, 1, 1, 1}, at::kLong);
  const at::Tensor one = row({1, 2, 4, 0, 3, 3});
  const at::Tensor both =
      normalise_in_groups(at::stack({one, one * 100 + 7}, 1), groups);
  EXPECT_LT(largest_difference(both.select(1, 0), both.select(1, 1)), 1e-3);
  EXPECT_NEAR(both.select(1, 0).sum().item<double>(), 0.0, 1e-12);
}

TEST(NormaliseInGroups, AGroupOfOneAndTiesAreZero) {
  const at::Tensor groups = at::tensor({0, 1, 1}, at::kLong);
  const at::Tensor rewards = row({5, 2, 2}).unsqueeze(1);
  EXPECT_TRUE(at::equal(
      normalise_in_groups(rewards, groups), at::zeros({3, 1}, at::kDouble)));
  // The mean of three .1 is not .1 in double.
  EXPECT_TRUE(at::equal(
      normalise_in_groups(
          row({.1, .1, .1}).unsqueeze(1), at::zeros({3}, at::kLong)),
      at::zeros({3, 1}, at::kDouble)));
  EXPECT_THROW(normalise_in_groups(row({5, 2, 2}), groups), CallerError);
}

at::Tensor random_rewards(int rows, int salt) {
  std::vector<Vector> values;
  for (int r = 0; r < rows; ++r)
    values.push_back(
        {((r * 37 + salt * 11) % 17) / 7.0, ((r * 53 + salt * 5) % 23) / 90.0});
  return matrix(values);
}

TEST(RunningMoments, AreThoseOfAllRowsTogether) {
  RunningMoments moments;
  std::vector<at::Tensor> all;
  for (int step = 0; step < 5; ++step) {
    all.push_back(random_rewards(3 + 4 * step, step));
    moments.add(all.back());
  }
  const at::Tensor rows = at::cat(all);
  EXPECT_EQ(moments.count(), rows.size(0));
  const at::Tensor mean = rows.mean(0);
  const at::Tensor deviation = (rows - mean).square().mean(0).sqrt();
  EXPECT_LT(largest_difference(row(moments.mean()), mean), 1e-14);
  EXPECT_LT(largest_difference(row(moments.deviation()), deviation), 1e-14);
  const at::Tensor next = random_rewards(6, 9);
  EXPECT_LT(
      largest_difference(moments.standardised(next), (next - mean) / deviation),
      1e-12);
}

TEST(RunningMoments, ChangeNothingBeforeTheFirstRow) {
  const at::Tensor rewards = random_rewards(4, 1);
  EXPECT_TRUE(at::equal(RunningMoments().standardised(rewards), rewards));
  EXPECT_TRUE(RunningMoments().state().empty());
}

TEST(RunningMoments, ASaturatedObjectiveIsNotDividedByNothing) {
  RunningMoments moments;
  moments.add(at::ones({4, 2}, at::kDouble));
  EXPECT_EQ(moments.deviation(), Vector(2, kLeastDivisor));
}

TEST(RunningMoments, AreRestoredBitForBit) {
  RunningMoments moments;
  moments.add(random_rewards(5, 2));
  RunningMoments restored;
  restored.restore(moments.state());
  moments.add(random_rewards(7, 3));
  restored.add(random_rewards(7, 3));
  EXPECT_EQ(restored.count(), moments.count());
  EXPECT_EQ(restored.mean(), moments.mean());
  EXPECT_EQ(restored.deviation(), moments.deviation());
  EXPECT_THROW(
      restored.restore({{"mean", at::zeros({2}, at::kLong)}}), CallerError);
  EXPECT_THROW(moments.add(at::ones({4, 3}, at::kDouble)), CallerError);
}

}  // namespace
}  // namespace moft
