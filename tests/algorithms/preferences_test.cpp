// Preference optimisation against closed forms and TRL.
#include "moft/algorithms/preferences.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/reinforce.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

double number(const at::Tensor& value) {
  return value.item<double>();
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

at::Tensor doubles(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

at::Tensor rows(std::vector<double> values, std::int64_t columns) {
  return doubles(values).view({-1, columns});
}

// Targets as they are, with every pair kept.
PreferenceTargets certain(const std::vector<double>& q) {
  const at::Tensor first = doubles(q);
  return {first, at::sign(first - 0.5), at::ones_like(first)};
}

PreferenceOptions options_of(
    PreferenceTarget target, PreferenceTies ties = PreferenceTies::kHalf) {
  PreferenceOptions options;
  options.target = target;
  options.ties = ties;
  return options;
}

TEST(Preferences, LossIsTheClosedFormAndLogTwoWherePolicyIsReference) {
  EXPECT_NEAR(
      number(dpo_loss(doubles({0.0}), certain({1.0}))), std::log(2.0), 1e-15);
  const double z = 0.75;
  EXPECT_NEAR(
      number(dpo_loss(doubles({z}), certain({1.0}))),
      -std::log(sigmoid(z)),
      1e-15);
  EXPECT_NEAR(
      number(dpo_loss(doubles({z, -2.0}), certain({0.25, 0.5}))),
      -0.25 * std::log(sigmoid(z)) - 0.75 * std::log(sigmoid(-z)) -
          0.5 * std::log(sigmoid(-2.0)) - 0.5 * std::log(sigmoid(2.0)),
      1e-14);
}

TEST(Preferences, SlopeIsThatOfFiniteDifferences) {
  const std::vector<double> z{-3.0, -0.5, 0.0, 0.25, 4.0};
  const PreferenceTargets targets = certain({1.0, 0.0, 0.5, 0.9, -0.25});
  const at::Tensor slope = dpo_slope(doubles(z), targets);
  at::Tensor leaf = doubles(z).set_requires_grad(true);
  dpo_loss(leaf, targets).backward();
  const double h = 1e-5;
  for (std::size_t i = 0; i < z.size(); ++i) {
    std::vector<double> above = z;
    std::vector<double> below = z;
    above[i] += h;
    below[i] -= h;
    const double difference = number(dpo_loss(doubles(above), targets)) -
                              number(dpo_loss(doubles(below), targets));
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_NEAR(number(slope[row]), -difference / (2 * h), 1e-9);
    EXPECT_NEAR(number(leaf.grad()[row]), -number(slope[row]), 1e-15);
  }
}

TEST(Preferences, BetaIsThatOfTheRegularisedOptimum) {
  EXPECT_DOUBLE_EQ(preference_beta(0.5), 1.0);
  EXPECT_NEAR(preference_beta(1.0 / 11.0), 0.1, 1e-15);
  EXPECT_THROW(preference_beta(0.0), CallerError);
  EXPECT_THROW(preference_beta(1.0), CallerError);
  EXPECT_THROW(preference_beta(doubles({0.5, 1.0})), CallerError);
}

// One pair, whose first answer wins by the first objective and loses by the
// second, under three weightings.
TEST(Preferences, TheWeightingDecidesWhichAnswerIsPreferred) {
  const at::Tensor first = rows({0.75, 0.25, 0.75, 0.25, 0.75, 0.25}, 2);
  const at::Tensor second = rows({0.25, 0.5, 0.25, 0.5, 0.25, 0.5}, 2);
  const at::Tensor weights = rows({1, 0, 0, 1, 1.0 / 3, 2.0 / 3}, 2);
  const auto found = [&](PreferenceTarget target) {
    return preference_targets(first, second, weights, options_of(target));
  };
  const PreferenceTargets better = found(PreferenceTarget::kBetter);
  EXPECT_TRUE(at::equal(better.first, doubles({1.0, 0.0, 0.5})));
  EXPECT_TRUE(at::equal(better.sign, doubles({1.0, -1.0, 0.0})));
  const PreferenceTargets bradley = found(PreferenceTarget::kBradleyTerry);
  EXPECT_NEAR(number(bradley.first[0]), sigmoid(0.5), 1e-15);
  EXPECT_NEAR(number(bradley.first[1]), sigmoid(-0.25), 1e-15);
  EXPECT_NEAR(number(bradley.first[2]), 0.5, 1e-15);
  const PreferenceTargets votes = found(PreferenceTarget::kVotes);
  EXPECT_NEAR(number(votes.first[0]), 1.0, 1e-15);
  EXPECT_NEAR(number(votes.first[1]), 0.0, 1e-15);
  EXPECT_NEAR(number(votes.first[2]), 1.0 / 3, 1e-15);
}

TEST(Preferences, TiesCountHalfOrNotAtAll) {
  const at::Tensor same = rows({0.1, 0.2, 1.0, 0.0}, 2);
  const at::Tensor other = rows({0.1, 0.2, 0.0, 0.0}, 2);
  const at::Tensor weights = at::full({2, 2}, 0.5, at::kDouble);
  for (const PreferenceTarget target :
       {PreferenceTarget::kBetter,
        PreferenceTarget::kVotes,
        PreferenceTarget::kBradleyTerry}) {
    const PreferenceTargets half =
        preference_targets(same, other, weights, options_of(target));
    EXPECT_DOUBLE_EQ(number(half.first[0]), 0.5);
    EXPECT_TRUE(at::equal(half.kept, doubles({1.0, 1.0})));
    const PreferenceTargets skip = preference_targets(
        same, other, weights, options_of(target, PreferenceTies::kSkip));
    EXPECT_TRUE(at::equal(skip.kept, doubles({0.0, 1.0})));
    const at::Tensor z = doubles({0.5, 0.5});
    EXPECT_NEAR(
        number(dpo_loss(z, skip)),
        number(dpo_loss(z, half)) -
            number(dpo_loss(
                z.slice(0, 0, 1),
                half.select(at::tensor(std::vector<std::int64_t>{0})))),
        1e-15);
    EXPECT_EQ(number(dpo_slope(z, skip)[0]), 0.0);
  }
}

// Labels flipped with probability e: the mean robust loss is the loss of the
// true labels; the sigmoid's is that of smoothed ones.
TEST(Preferences, RobustLossUndoesLabelNoiseOnAverage) {
  const double e = 0.2;
  const at::Tensor one = rows({1.0}, 1);
  const at::Tensor zero = rows({0.0}, 1);
  const at::Tensor z = doubles({0.7});
  const auto mean = [&](PreferenceLoss loss) {
    PreferenceOptions options = options_of(PreferenceTarget::kBetter);
    options.loss_type = loss;
    options.label_smoothing = e;
    const at::Tensor w = at::ones({1, 1}, at::kDouble);
    return (1 - e) *
               number(dpo_loss(z, preference_targets(one, zero, w, options))) +
           e * number(dpo_loss(z, preference_targets(zero, one, w, options)));
  };
  EXPECT_NEAR(
      mean(PreferenceLoss::kRobust),
      number(dpo_loss(z, certain({1.0}))),
      1e-14);
  const double twice = (1 - e) * (1 - e) + e * e;
  EXPECT_NEAR(
      mean(PreferenceLoss::kSigmoid),
      number(dpo_loss(z, certain({twice}))),
      1e-14);
}

TEST(Preferences, LossGradientAndMetricsAreThoseOfTrl) {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) +
      "/tests/reference/algorithms/trl_dpo.json");
  const auto json = nlohmann::json::parse(file);
  const auto pairs_of = [&](const char* name) {
    return doubles(json.at(name).get<std::vector<double>>()).view({2, -1}).t();
  };
  const at::Tensor reference = pairs_of("reference").contiguous();
  for (const auto& expected : json.at("cases")) {
    PreferenceOptions options = options_of(PreferenceTarget::kBetter);
    options.loss_type = expected.at("loss_type") == "robust"
                            ? PreferenceLoss::kRobust
                            : PreferenceLoss::kSigmoid;
    options.label_smoothing = expected.at("label_smoothing").get<double>();
    at::Tensor policy = pairs_of("policy").contiguous().set_requires_grad(true);
    const std::int64_t count = policy.size(0);
    const at::Tensor ones = at::ones({count, 1}, at::kDouble);
    const PreferenceTargets targets =
        preference_targets(ones, at::zeros_like(ones), ones, options);
    const PairScores scores{
        policy,
        policy - reference,
        at::full({count}, expected.at("beta").get<double>(), at::kDouble)};
    const at::Tensor loss =
        dpo_loss(scores.margins(), targets) / static_cast<double>(count);
    loss.backward();
    EXPECT_NEAR(number(loss), expected.at("loss").get<double>(), 1e-12);
    const at::Tensor gradient =
        doubles(expected.at("gradient").get<std::vector<double>>())
            .view({2, -1})
            .t();
    EXPECT_LT(number((policy.grad() - gradient).abs().max()), 1e-14);
    PreferenceFigures figures;
    figures.add(
        {policy.detach(), scores.log_ratios.detach(), scores.betas}, targets);
    const auto metrics = figures.metrics();
    // TRL's accuracy is a float32.
    for (const auto& [name, value] : expected.at("metrics").items())
      EXPECT_NEAR(metrics.at(name), value.get<double>(), 1e-6) << name;
    EXPECT_NEAR(metrics.at("loss"), number(loss), 1e-12);
  }
}

TEST(Preferences, FiguresSwapAnswersWhereTheSecondIsPreferred) {
  PreferenceFigures figures;
  figures.add(
      {rows({-1.0, -2.0, -3.0, -4.0}, 2),
       rows({0.5, 0.25, 1.0, -1.0}, 2),
       doubles({2.0, 0.5})},
      certain({0.0, 0.5}));
  const auto metrics = figures.metrics();
  EXPECT_DOUBLE_EQ(metrics.at("rewards/chosen"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.at("rewards/rejected"), 1.0);
  EXPECT_DOUBLE_EQ(metrics.at("rewards/margins"), -0.5);
  EXPECT_DOUBLE_EQ(metrics.at("rewards/accuracies"), 0.0);
  EXPECT_DOUBLE_EQ(metrics.at("logps/chosen"), -2.0);
  EXPECT_DOUBLE_EQ(metrics.at("preferences/ties"), 0.5);
}

// Two prompts of three and two rows, one row left out: REINFORCE's gradient
// with row_advantages() is the pairs' own.
TEST(Preferences, RowAdvantagesGiveTheGradientOfThePairs) {
  const at::Tensor prompts =
      at::tensor(std::vector<std::int64_t>{0, 0, 0, 1, 1});
  const at::Tensor kept = at::tensor(std::vector<std::int64_t>{0, 1, 2, 3, 4});
  const RowPairs pairs = pairs_of_rows(prompts, kept);
  EXPECT_TRUE(at::equal(
      pairs.first, at::tensor(std::vector<std::int64_t>{0, 0, 1, 3})));
  EXPECT_TRUE(at::equal(
      pairs.second, at::tensor(std::vector<std::int64_t>{1, 2, 2, 4})));
  at::Tensor log_probs =
      doubles({-1.0, -2.5, -0.5, -3.0, -2.0}).set_requires_grad(true);
  const at::Tensor reference = doubles({-1.5, -2.0, -1.0, -2.0, -2.5});
  const PreferenceTargets targets = certain({1.0, 0.25, 0.5, 0.9});
  const at::Tensor betas = doubles({0.5, 0.5, 0.5, 2.0});
  const auto scores = [&](const at::Tensor& of_rows) {
    const at::Tensor ratios = of_rows - reference;
    const auto both = [&](const at::Tensor& values) {
      return at::stack(
          {values.index_select(0, pairs.first),
           values.index_select(0, pairs.second)},
          1);
    };
    return PairScores{both(of_rows), both(ratios), betas};
  };
  (dpo_loss(scores(log_probs).margins(), targets) / 4.0).backward();
  const at::Tensor expected = log_probs.grad().clone();
  log_probs.mutable_grad() = at::Tensor();
  const at::Tensor advantages =
      row_advantages(pairs, scores(log_probs.detach()), targets, 5);
  reinforce_loss(log_probs, advantages, 1.0).backward();
  EXPECT_LT(number((log_probs.grad() - expected).abs().max()), 1e-15);
  EXPECT_NEAR(number(advantages.sum()), 0.0, 1e-15);
}

}  // namespace
}  // namespace moft
