// A policy of a kind that moft does not know is measured like any other, and
// its front is the one that its closed form gives.
#include "moft/evaluation/evaluate.h"

#include <gtest/gtest.h>

#include "tests/evaluation/support.h"
#include "tests/support/coin_policy.h"
#include "tests/support/tiny_model.h"

namespace moft {
namespace {

class SideReward : public Reward {
 public:
  explicit SideReward(const std::string& side) : Reward(side) {}

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    std::vector<double> values;
    for (const std::string& text : batch.completions)
      values.push_back(text == name() ? 1.0 : 0.0);
    return values;
  }
};

// With common random numbers an answer is heads where the prompt's uniform is
// below the policy's probability.
double share_of_heads(double p, std::size_t prompts, std::uint64_t seed) {
  double heads = 0;
  for (std::uint32_t prompt = 0; prompt < prompts; ++prompt) {
    RandomStream stream(seed, Purpose::kEvaluate, 0, prompt);
    heads += stream.uniform() < p ? 1.0 : 0.0;
  }
  return heads / static_cast<double>(prompts);
}

TEST(EvaluatePolicy, TakesAKindFromOutside) {
  const auto folder = testing::fresh_folder("coin");
  test::write_tiny_model(folder);
  register_policy_kind(test::coin_kind());
  test::write_tiny_text(folder / "moft.json", R"({"kind": "coin"})");
  const auto opened = open_policy(folder);
  Policy& policy = *opened;
  const ObjectiveSet objectives(
      {{"heads", std::make_shared<SideReward>("heads"), 0, 1},
       {"tails", std::make_shared<SideReward>("tails"), 0, 1}});
  std::vector<Example> examples(40);
  for (Example& example : examples)
    example.fields["text"] = "it";
  EvaluateOptions options;
  options.weightings = 3;
  options.texts = 1;
  const Report report = evaluate_policy(policy, objectives, examples, options);
  EXPECT_EQ(evaluated_steerings(2, options), 4);
  ASSERT_EQ(report.points.size(), 3U);
  for (const FrontPoint& point : report.points) {
    const Steering steering{
        Weighting({point.weights.at("heads"), point.weights.at("tails")}), 0.1};
    const double p = test::CoinPolicy::heads(steering);
    const double heads = share_of_heads(p, examples.size(), options.seed);
    EXPECT_NEAR(point.rewards.at("heads").mean, heads, 1e-12);
    EXPECT_NEAR(point.rewards.at("tails").mean, 1 - heads, 1e-12);
    EXPECT_NEAR(point.kl.mean, test::CoinPolicy::kl(steering), 1e-6);
    EXPECT_EQ(point.finished, 1.0);
  }
  EXPECT_NEAR(
      report.reference.raw_rewards.at("heads"),
      share_of_heads(0.5, examples.size(), options.seed),
      1e-12);
  EXPECT_EQ(report.texts.at(0).prompt, "flip it");
  // Echoes are of a prompt around its source.
  EXPECT_EQ(report.points[0].echoed, std::nullopt);
  options.shown_field = "text";
  const Report sourced = evaluate_policy(policy, objectives, examples, options);
  EXPECT_EQ(sourced.points[0].echoed, 0.0);
  EXPECT_EQ(sourced.reference.echoed, 0.0);
}

}  // namespace
}  // namespace moft
