// Several rewards in a training step: scalarisations, aggregation, running
// moments, and the cosines between objectives.
#include "moft/training/reward_combiner.h"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/online_step.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

using Masters = std::map<std::string, at::Tensor>;

struct Trained {
  Masters masters;
  std::vector<std::map<std::string, double>> metrics;
};

Trained train(const TinyRun& run, int steps = 3) {
  const Scratch scratch;
  TinyTraining tiny(scratch.path(), run);
  Trained trained;
  for (int step = 0; step < steps; ++step)
    trained.metrics.push_back(tiny.trainer->step().metrics);
  trained.masters = masters_of(*tiny.policy);
  return trained;
}

bool equal(const Masters& a, const Masters& b) {
  for (const auto& [name, tensor] : a)
    if (!at::equal(tensor, b.at(name))) return false;
  return true;
}

TinyRun run_with(const std::function<void(TrainingOptions&)>& change) {
  TinyRun run = tiny_run();
  change(run.training);
  return run;
}

// ---- one step by hand ------------------------------------------------------

// Two prompts of three samples, both at w = (.5, .5), without KL.
struct Step {
  Step() {
    for (int p = 0; p < 2; ++p) {
      draw.prompts.push_back({1});
      draw.steerings.push_back({Weighting({0.5, 0.5}), 0.0});
    }
    draw.samples_per_prompt = 3;
    rollout.rows.resize(6);
    for (Generation& row : rollout.rows)
      row.finished = true;
    rewards.mapped = at::stack(
        {at::tensor(std::vector<double>{.2, .4, .9, .5, .5, .1}, at::kDouble),
         at::tensor(std::vector<double>{.8, .4, .3, .5, .5, .7}, at::kDouble)},
        1);
    rewards.raw = rewards.mapped;
    ratios.sequence = at::zeros({6}, at::kDouble);
    ratios.reward_kl = ratios.sequence;
    options.advantage_normalisation = AdvantageNormalisation::kNone;
  }
  Advantages advantages() const {
    return make_advantages(
        draw,
        rollout,
        rewards,
        ratios,
        {},
        options,
        RewardCombiner(options, {"a", "b"}));
  }

  Draw draw;
  Rollout rollout;
  Scores rewards;
  LogRatios ratios;
  TrainingOptions options;
};

void expect_values(const at::Tensor& found, const std::vector<double>& wanted) {
  ASSERT_EQ(found.numel(), std::ssize(wanted));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_NEAR(
        found[static_cast<std::int64_t>(i)].item<double>(), wanted[i], 1e-12)
        << i;
  }
}

TEST(CombinedRewards, EsrScalarisesEveryRow) {
  Step step;
  step.options.scalarisation.kind = ScalarisationKind::kChebyshev;
  // min of .5 (R - 1).
  const Advantages a = step.advantages();
  expect_values(a.reward, {-.4, -.3, -.35, -.25, -.25, -.45});
  expect_values(a.advantage, {-.075, .075, 0, .1, .1, -.2});
}

TEST(CombinedRewards, SerUsesTheOtherRowsOfThePrompt) {
  Step step;
  step.options.scalarisation.kind = ScalarisationKind::kChebyshev;
  step.options.scalarisation.criterion = ScalarisationCriterion::kSer;
  // Means of the others: (.65, .35) (.55, .55) (.3, .6); (.3, .6) (.3, .6)
  // (.5, .5). Slopes: (0, .5), (.25, .25), (.5, 0); (.5, 0) twice, (.25, .25).
  const std::vector<double> wanted{
      .5 * .45,
      .25 * (-.15) * 2,
      .5 * .6,
      .5 * .2,
      .5 * .2,
      .25 * (-.4) + .25 * .2};
  for (const Baseline baseline :
       {Baseline::kLeaveOneOut, Baseline::kBatchMean}) {
    step.options.baseline = baseline;
    expect_values(step.advantages().advantage, wanted);
  }
}

TEST(CombinedRewards, SerTellsTiesFromEqualNumbers) {
  Step step;
  step.options.scalarisation.kind = ScalarisationKind::kNash;
  step.options.scalarisation.criterion = ScalarisationCriterion::kSer;
  EXPECT_EQ(step.advantages().share_of_ties, 0.0);
  step.rewards.mapped.narrow(0, 0, 3).fill_(.1);
  const Advantages a = step.advantages();
  EXPECT_EQ(a.share_of_ties, 0.5);
  for (int row = 0; row < 3; ++row)
    EXPECT_EQ(a.advantage[row].item<double>(), 0.0);
}

TEST(CombinedRewards, NormalizeThenSumWeighsNormalisedRewards) {
  Step step;
  step.options.multi_objective_aggregation =
      RewardAggregation::kNormalizeThenSum;
  step.options.baseline = Baseline::kBatchMean;
  // Second prompt: deviations of (.5, .5, .1) are (.4, .4, -.8) / 3, of
  // (.5, .5, .7) half of that with the other sign; what is left is epsilon's.
  const auto normalised = [](std::vector<double> x) {
    double mean = 0;
    for (const double value : x)
      mean += value / 3;
    double squares = 0;
    for (const double value : x)
      squares += (value - mean) * (value - mean);
    for (double& value : x)
      value = (value - mean) / (std::sqrt(squares / 2) + 1e-4);
    return x;
  };
  std::vector<double> wanted;
  for (const auto& [a, b] :
       {std::pair(normalised({.2, .4, .9}), normalised({.8, .4, .3})),
        std::pair(normalised({.5, .5, .1}), normalised({.5, .5, .7}))}) {
    for (std::size_t i = 0; i < 3; ++i)
      wanted.push_back(.5 * a[i] + .5 * b[i]);
  }
  expect_values(step.advantages().advantage, wanted);
}

// ---- whole runs ------------------------------------------------------------

TEST(CombinedRewards, LinearIsTheSameBitsUnderBothCriteria) {
  const Trained plain = train(tiny_run());
  const Trained ser = train(run_with([](TrainingOptions& options) {
    options.scalarisation.criterion = ScalarisationCriterion::kSer;
  }));
  EXPECT_TRUE(equal(plain.masters, ser.masters));
}

TEST(CombinedRewards, EveryWayTrainsAndChangesTheUpdate) {
  const Trained plain = train(tiny_run());
  for (const auto& [kind, name] : enum_names(ScalarisationKind{})) {
    for (const auto& [criterion, reading] :
         enum_names(ScalarisationCriterion{})) {
      if (kind == ScalarisationKind::kLinear) continue;
      TinyRun run = tiny_run();
      ScalarisationOptions& options = run.training.scalarisation;
      options.kind = kind;
      options.criterion = criterion;
      if (kind == ScalarisationKind::kConstraint)
        options.constraints = {{"b", 0.9}};
      run.training.check("training.");
      const Trained other = train(run);
      EXPECT_FALSE(equal(plain.masters, other.masters)) << name << reading;
      for (const auto& [key, value] : other.metrics.back())
        EXPECT_TRUE(std::isfinite(value)) << key;
    }
  }
}

TEST(CombinedRewards, RunningMomentsResumeToTheSameBits) {
  const TinyRun run = run_with([](TrainingOptions& options) {
    options.reward_standardisation = RewardStandardisation::kRunning;
  });
  const Scratch scratch;
  TinyTraining straight(scratch.path(), run);
  for (int step = 0; step < 2; ++step)
    straight.trainer->step();
  TrainerState state = straight.trainer->state();
  EXPECT_FALSE(state.rewards.empty());
  for (NamedTensors* tensors :
       {&state.masters, &state.optimizer, &state.rewards}) {
    for (auto& [name, tensor] : *tensors)
      tensor = tensor.clone();
  }
  for (int step = 0; step < 2; ++step)
    straight.trainer->step();
  TinyTraining resumed(scratch.path(), run);
  resumed.trainer->restore(state);
  for (int step = 0; step < 2; ++step)
    resumed.trainer->step();
  EXPECT_TRUE(equal(masters_of(*straight.policy), masters_of(*resumed.policy)));
  // Without the moments the third step is another one.
  TinyTraining forgetful(scratch.path(), run);
  state.rewards.clear();
  forgetful.trainer->restore(state);
  for (int step = 0; step < 2; ++step)
    forgetful.trainer->step();
  EXPECT_FALSE(
      equal(masters_of(*straight.policy), masters_of(*forgetful.policy)));
}

TEST(CombinedRewards, RunningMomentsLeaveTheFirstStepAlone) {
  const Trained plain = train(tiny_run(), 1);
  const Trained running = train(
      run_with([](TrainingOptions& options) {
        options.reward_standardisation = RewardStandardisation::kRunning;
      }),
      1);
  EXPECT_TRUE(equal(plain.masters, running.masters));
}

// ---- correlations and cosines ----------------------------------------------

TinyRun cosine_run(const std::string& b) {
  TinyRun run = tiny_run();
  run.patterns = {{"a", "a"}, {"b", b}};
  run.training.gradient_cosine_every = 1;
  return run;
}

TEST(GradientCosine, IsOneOfEqualObjectivesAndMinusOneOfOpposites) {
  for (const SteeredSet set : {SteeredSet::kLora, SteeredSet::kFull}) {
    for (const auto& [pattern, wanted] :
         {std::pair("a", 1.0), std::pair("\\A[^a]*\\z", -1.0)}) {
      TinyRun run = cosine_run(pattern);
      run.steered_set = set;
      for (const auto& metrics : train(run).metrics) {
        EXPECT_NEAR(metrics.at("gradient_cosine/a,b"), wanted, 1e-5);
        EXPECT_NEAR(metrics.at("reward_correlation/a,b"), wanted, 1e-12);
        EXPECT_NEAR(
            metrics.at("reward_correlation_within_prompts/a,b"), wanted, 1e-12);
      }
    }
  }
}

TEST(GradientCosine, ChangesNoBitOfTheTraining) {
  for (const SteeredSet set : {SteeredSet::kLora, SteeredSet::kFull}) {
    TinyRun without = tiny_run();
    without.steered_set = set;
    TinyRun with = without;
    with.training.gradient_cosine_every = 2;
    const Trained plain = train(without);
    const Trained watched = train(with);
    EXPECT_TRUE(equal(plain.masters, watched.masters));
    EXPECT_FALSE(watched.metrics[0].contains("gradient_cosine/a,b"));
    EXPECT_TRUE(watched.metrics[1].contains("gradient_cosine/a,b"));
  }
}

// Before the first update of several they are those of one update.
TEST(GradientCosine, OfMinibatchesIsThatOfOneUpdate) {
  for (const SteeredSet set : {SteeredSet::kLora, SteeredSet::kFull}) {
    TinyRun run = tiny_run();
    run.steered_set = set;
    run.training.gradient_cosine_every = 1;
    const auto cosine =
        [&](const std::function<void(TrainingOptions&)>& change) {
          TinyRun changed = run;
          change(changed.training);
          return train(changed, 1).metrics[0].at("gradient_cosine/a,b");
        };
    const double reinforce = cosine([](TrainingOptions&) {});
    EXPECT_GT(std::abs(reinforce), 1e-3);
    EXPECT_LT(std::abs(reinforce), 0.999);
    for (const std::int64_t updates : {1, 3}) {
      const double grpo = cosine([&](TrainingOptions& options) {
        options.algorithm = Algorithm::kGrpo;
        options.grpo.steps_per_generation = updates;
        options.grpo.num_iterations = updates;
      });
      EXPECT_NEAR(grpo, reinforce, 1e-6) << updates;
    }
    // PPO reads no baseline: the batch's mean.
    const double mean = cosine([](TrainingOptions& options) {
      options.baseline = Baseline::kBatchMean;
    });
    for (const std::int64_t updates : {1, 3}) {
      const double ppo = cosine([&](TrainingOptions& options) {
        options.algorithm = Algorithm::kPpo;
        options.ppo.num_mini_batches = updates;
      });
      EXPECT_NEAR(ppo, mean, 1e-6) << updates;
    }
  }
}

TEST(GradientCosine, NeedsNoSecondSampleOfPpo) {
  TinyRun run = tiny_run();
  run.training.algorithm = Algorithm::kPpo;
  run.patterns = {{"a", "[a-e]"}, {"b", "[d-i]"}};
  run.training.samples_per_prompt = 1;
  run.training.prompts_per_step = 8;
  run.training.gradient_cosine_every = 1;
  const auto metrics = train(run, 1).metrics[0];
  ASSERT_TRUE(metrics.contains("gradient_cosine/a,b"));
  EXPECT_LE(std::abs(metrics.at("gradient_cosine/a,b")), 1.0);
}

// An objective that does not vary has no direction.
TEST(GradientCosine, OfASaturatedObjectiveIsLeftOut) {
  for (const auto& metrics : train(cosine_run("")).metrics) {
    EXPECT_FALSE(metrics.contains("gradient_cosine/a,b"));
    EXPECT_FALSE(metrics.contains("reward_correlation/a,b"));
  }
}

// ---- settings --------------------------------------------------------------

TEST(CombinedRewards, RefuseChoicesThatDoNotGoTogether) {
  using Change = std::function<void(TrainingOptions&)>;
  const auto nash = [](TrainingOptions& o) {
    o.scalarisation.kind = ScalarisationKind::kNash;
  };
  const auto ser = [&](TrainingOptions& o) {
    nash(o);
    o.scalarisation.criterion = ScalarisationCriterion::kSer;
  };
  const auto in_groups = [](TrainingOptions& o) {
    o.multi_objective_aggregation = RewardAggregation::kNormalizeThenSum;
  };
  const auto running = [](TrainingOptions& o) {
    o.reward_standardisation = RewardStandardisation::kRunning;
  };
  const auto single = [](TrainingOptions& o) {
    o.samples_per_prompt = 1;
    o.baseline = Baseline::kBatchMean;
  };
  const auto value = [](TrainingOptions& o) { o.baseline = Baseline::kValue; };
  for (const Change& good :
       std::vector<Change>{nash, ser, in_groups, running}) {
    TrainingOptions options;
    good(options);
    EXPECT_NO_THROW(options.check("training."));
  }
  for (const auto& [one, other] : std::vector<std::pair<Change, Change>>{
           {nash, in_groups},
           {nash, running},
           {in_groups, running},
           {in_groups, single},
           {in_groups, value},
           {ser, single},
           {ser, value}}) {
    TrainingOptions options;
    one(options);
    other(options);
    EXPECT_THROW(options.check("training."), CallerError);
  }
}

TEST(CombinedRewards, NameTheObjectivesOfTheRun) {
  TinyRun run = tiny_run();
  run.training.scalarisation.kind = ScalarisationKind::kConstraint;
  run.training.scalarisation.constraints = {{"c", 0.5}};
  const Scratch scratch;
  EXPECT_THROW(TinyTraining(scratch.path(), run), CallerError);
}

}  // namespace
}  // namespace moft::test
