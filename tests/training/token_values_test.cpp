// PPO's values and advantages of single tokens.
#include "moft/training/token_values.h"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "moft/training/online_step.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

// What lambda cuts off a truncated row's penalty, for each token: the penalty
// less lam^(tokens to come) of it, packed.
at::Tensor cut_penalties(const Rollout& rollout, double penalty, double lam) {
  std::vector<double> cut;
  for (const Generation& row : rollout.rows) {
    const std::int64_t length = std::ssize(row.tokens);
    const double of_row = row.finished ? 0.0 : penalty;
    for (std::int64_t t = 0; t < length; ++t)
      cut.push_back(
          of_row * (1 - std::pow(lam, static_cast<double>(length - 1 - t))));
  }
  return at::tensor(cut, at::kDouble);
}

// Linear: with one column for all, or one for each objective and the KL, and
// values of 0, the advantages are the same, but for what lambda cuts off a
// penalty in the reward only.
TEST(TokenValues, ColumnsOfObjectivesAddUpToTheReward) {
  const Scratch scratch;
  TinyRun given = tiny_run();
  given.training.algorithm = Algorithm::kPpo;
  given.training.kl_strength = 0.3;
  given.training.missing_eos_penalty = 0.5;
  given.training.advantage_normalisation = AdvantageNormalisation::kNone;
  TinyTraining tiny(scratch.path(), given);
  for (int step = 0; step < 2; ++step)
    tiny.trainer->step();
  for (const double lam : {0.95, 1.0}) {
    std::vector<at::Tensor> found;
    at::Tensor cut;
    for (const ValueTarget target :
         {ValueTarget::kObjectives, ValueTarget::kReward}) {
      TrainingOptions options = given.training;
      options.value.target = target;
      options.ppo.lam = lam;
      Experience e = experience_of(tiny, options, {0, 1, 2}, /*step=*/3);
      const at::Tensor zero = at::zeros(
          {e.ratios.log_probs.numel(), token_value_columns(options, 2)},
          at::kDouble);
      add_token_advantages(e, zero, options);
      found.push_back(e.advantages.token_advantage);
      cut = cut_penalties(e.rollout, options.missing_eos_penalty, lam);
      if (target == ValueTarget::kReward) continue;
      // lam = 1: the first token has the whole completion's reward.
      options.ppo.lam = 1.0;
      add_token_advantages(e, zero, options);
      std::int64_t first = 0;
      for (std::size_t row = 0; row < e.rollout.rows.size(); ++row) {
        EXPECT_NEAR(
            e.advantages.token_advantage[first].item<double>(),
            e.advantages.trained_reward[static_cast<std::int64_t>(row)]
                .item<double>(),
            1e-6);
        first += std::ssize(e.rollout.rows[row].tokens);
      }
    }
    EXPECT_EQ(cut.max().item<double>() > 0.0, lam < 1.0);
    EXPECT_LT((found[0] + cut - found[1]).abs().max().item<double>(), 1e-12);
  }
}

// ---- one number of a row's rewards, by hand --------------------------------

// Two prompts of two completions, of 2, 1, 3 and 1 tokens, at alpha .25.
struct ByHand {
  ByHand() {
    e.draw.samples_per_prompt = 2;
    e.draw.prompts = {{1}, {1}};
    e.draw.steerings = {
        {Weighting({0.5, 0.5}), 0.25}, {Weighting({0.75, 0.25}), 0.25}};
    for (const std::size_t length : lengths) {
      Generation row;
      row.tokens.assign(length, 3);
      row.finished = true;
      e.rollout.rows.push_back(std::move(row));
    }
    std::vector<at::Tensor> mapped;
    for (const auto& row : rewards)
      mapped.push_back(at::tensor(row, at::kDouble));
    e.rewards.mapped = at::stack(mapped);
    e.ratios.log_probs = at::tensor(log_ratios, at::kDouble);
    e.ratios.reference_log_probs = at::zeros({7}, at::kDouble);
    e.advantages.advantage = at::zeros({4}, at::kDouble);
    e.advantages.kl_weight = at::zeros({4}, at::kDouble);
    e.advantages.kept = at::arange(4, at::kLong);
    options.algorithm = Algorithm::kPpo;
    options.advantage_normalisation = AdvantageNormalisation::kNone;
    options.ppo.lam = 1.0;
  }

  // Under values of 0: what is still to come of each token's row.
  at::Tensor to_come(ValueTarget target) {
    options.value.target = target;
    const at::Tensor zero =
        at::zeros({7, token_value_columns(options, 2)}, at::kDouble);
    add_token_advantages(e, zero, options, RewardCombiner(options, {"a", "b"}));
    return e.advantages.token_advantage;
  }

  // (1 - alpha) f(R; w) less alpha times the log ratios from the token on.
  using Reward = std::function<double(
      const std::vector<double>& w, const std::vector<double>& rewards)>;
  at::Tensor wanted(const Reward& f) const {
    std::vector<double> result;
    std::size_t begin = 0;
    for (std::size_t row = 0; row < lengths.size(); ++row) {
      const std::vector<double> w = row < 2 ? std::vector<double>{0.5, 0.5}
                                            : std::vector<double>{0.75, 0.25};
      const std::size_t end = begin + lengths[row];
      for (std::size_t t = begin; t < end; ++t) {
        double value = 0.75 * f(w, rewards[row]);
        for (std::size_t u = t; u < end; ++u)
          value -= 0.25 * log_ratios[u];
        result.push_back(value);
      }
      begin = end;
    }
    return at::tensor(result, at::kDouble);
  }

  const std::vector<std::size_t> lengths{2, 1, 3, 1};
  const std::vector<std::vector<double>> rewards{
      {0.2, 0.8}, {0.9, 0.3}, {0.5, 0.5}, {0.1, 1.0}};
  const std::vector<double> log_ratios{0.1, -0.2, 0.4, 0.0, 0.3, -0.5, 0.25};
  Experience e;
  TrainingOptions options;
};

double weighted_sum(
    const std::vector<double>& w, const std::vector<double>& r) {
  return w[0] * r[0] + w[1] * r[1];
}

void expect_equal(const at::Tensor& found, const at::Tensor& wanted) {
  ASSERT_EQ(found.sizes(), wanted.sizes());
  EXPECT_LT((found - wanted).abs().max().item<double>(), 1e-12);
}

TEST(TokenRewards, AreTheScalarisations) {
  ByHand step;
  ScalarisationOptions& chosen = step.options.scalarisation;
  const auto expect = [&](const ByHand::Reward& f) {
    step.options.check("training.");
    expect_equal(step.to_come(ValueTarget::kReward), step.wanted(f));
  };
  step.options.value.target = ValueTarget::kReward;
  expect(weighted_sum);
  chosen.kind = ScalarisationKind::kChebyshev;
  expect([](const auto& w, const auto& r) {
    return std::min(w[0] * (r[0] - 1), w[1] * (r[1] - 1));
  });
  chosen.kind = ScalarisationKind::kNash;
  expect([](const auto& w, const auto& r) {
    return w[0] * std::log(r[0]) + w[1] * std::log(r[1]);
  });
  chosen.kind = ScalarisationKind::kConstraint;
  chosen.constraints = {{"b", 0.6}};
  const double penalty = chosen.penalty;
  expect([&](const auto& w, const auto& r) {
    return weighted_sum(w, r) - penalty * std::max(0.0, 0.6 - r[1]);
  });
}

// Columns of single objectives: w.R, in which both targets agree.
TEST(TokenRewards, OfSingleObjectivesAreTheWeightedSum) {
  ByHand step;
  expect_equal(
      step.to_come(ValueTarget::kObjectives), step.wanted(weighted_sum));
}

// Rows of 2, 1, 3 and 1 tokens, of which the first and the third are truncated.
// V says nothing of the penalty with single objectives: every token has it
// whole. In the reward, GAE with V = 0 leaves lam^(tokens to come) of it.
TEST(TokenRewards, APenaltyWithoutAValueReachesEveryTokenWhole) {
  const auto penalties = [](ValueTarget target, double gamma) {
    ByHand step;
    step.options.ppo.lam = 0.5;
    step.options.ppo.gamma = gamma;
    const at::Tensor without = step.to_come(target).clone();
    step.e.rollout.rows[0].finished = step.e.rollout.rows[2].finished = false;
    step.options.missing_eos_penalty = 0.4;
    return without - step.to_come(target);
  };
  const auto wanted = [](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble);
  };
  expect_equal(
      penalties(ValueTarget::kObjectives, 1.0),
      wanted({0.4, 0.4, 0.0, 0.4, 0.4, 0.4, 0.0}));
  expect_equal(
      penalties(ValueTarget::kObjectives, 0.5),
      wanted({0.2, 0.4, 0.0, 0.1, 0.2, 0.4, 0.0}));
  expect_equal(
      penalties(ValueTarget::kReward, 1.0),
      wanted({0.2, 0.4, 0.0, 0.1, 0.2, 0.4, 0.0}));
}

// All tokens of all rows expect the same, which no baseline has rounded.
TEST(TokenRewards, AdvantagesThatTieStayWithoutNormalisation) {
  ByHand step;
  step.e.rewards.mapped = at::full({4, 2}, 0.5, at::kDouble);
  step.e.ratios.log_probs = at::zeros({7}, at::kDouble);
  const at::Tensor all = at::full({7}, 0.75 * 0.5, at::kDouble);
  expect_equal(step.to_come(ValueTarget::kReward), all);
  expect_equal(step.to_come(ValueTarget::kObjectives), all);
  // Normalised, they are 0 as in TRL.
  step.options.advantage_normalisation = AdvantageNormalisation::kBatch;
  expect_equal(step.to_come(ValueTarget::kReward), at::zeros_like(all));
}

// The step's combiner reaches PPO's rewards, running moments too.
TEST(TokenRewards, OfATrainerAreTheScalarisations) {
  const auto masters_after =
      [](const std::function<void(TrainingOptions&)>& change, int steps) {
        TinyRun run = tiny_run();
        run.training.algorithm = Algorithm::kPpo;
        run.training.value.target = ValueTarget::kReward;
        change(run.training);
        run.training.check("training.");
        const Scratch scratch;
        TinyTraining tiny(scratch.path(), run);
        for (int step = 0; step < steps; ++step)
          tiny.trainer->step();
        return masters_of(*tiny.policy);
      };
  using Masters = std::map<std::string, at::Tensor>;
  const auto equal = [](const Masters& a, const Masters& b) {
    bool same = true;
    for (const auto& [name, tensor] : a)
      same &= at::equal(tensor, b.at(name));
    return same;
  };
  const auto linear = [](TrainingOptions&) {};
  const auto chebyshev = [](TrainingOptions& options) {
    options.scalarisation.kind = ScalarisationKind::kChebyshev;
  };
  const auto running = [](TrainingOptions& options) {
    options.reward_standardisation = RewardStandardisation::kRunning;
  };
  EXPECT_FALSE(equal(masters_after(linear, 1), masters_after(chebyshev, 1)));
  // Moments are there from the second step on.
  EXPECT_TRUE(equal(masters_after(linear, 1), masters_after(running, 1)));
  EXPECT_FALSE(equal(masters_after(linear, 2), masters_after(running, 2)));
}

}  // namespace
}  // namespace moft::test
