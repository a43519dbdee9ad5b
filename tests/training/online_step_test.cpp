// The stages of an online step used one by one: an experience serves any
// number of updates.
#include "moft/training/online_step.h"

#include <stdexcept>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/apply_update.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

using Gradients = std::map<std::string, at::Tensor>;

Gradients gradients_of(const SteeredPolicy& policy) {
  Gradients result;
  const Conditioning& conditioning = *policy.conditioning();
  const std::vector<ScaledGradient> gradients = conditioning.gradients();
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const TrainedTensor& entry = conditioning.trained()[i];
    result[entry.name] = gradients[i].tensor.defined()
                             ? gradients[i].tensor * gradients[i].coefficient
                             : at::zeros_like(entry.master);
  }
  return result;
}

double largest(const Gradients& gradients) {
  double value = 0.0;
  for (const auto& [name, tensor] : gradients)
    value = std::max(value, tensor.abs().max().item<double>());
  return value;
}

double distance(const Gradients& left, const Gradients& right) {
  Gradients difference;
  for (const auto& [name, tensor] : left)
    difference[name] = tensor - right.at(name);
  return largest(difference);
}

bool equal(const Gradients& left, const Gradients& right) {
  return std::ranges::all_of(left, [&](const auto& entry) {
    return at::equal(entry.second, right.at(entry.first));
  });
}

// A trained policy, so that KLs are not zero, and the stages by hand.
class OnlineStep : public testing::TestWithParam<SteeredSet> {
 protected:
  OnlineStep() : run_(make_run()), tiny_(scratch_.path(), run_) {
    for (int step = 0; step < 3; ++step)
      tiny_.trainer->step();
  }

  static TinyRun make_run() {
    TinyRun run = tiny_run();
    run.steered_set = GetParam();
    run.training.kl_strength = 0.3;
    return run;
  }

  SteeredPolicy& policy() { return *tiny_.policy; }

  Draw draw() {
    IndependentSteerings sampler(
        make_weighting_sampler({}, {"a", "b"}, "weightings"),
        run_.training,
        policy().kl_range());
    return make_draw(
        policy(),
        tiny_.trainer->prompts(),
        {0, 3, 1, 6, 2, 5},
        sampler.draw(7, 6),
        /*step=*/7,
        /*samples_per_prompt=*/4);
  }

  Rollout roll(const Draw& drawn, std::int64_t rows_at_once = 0) {
    RolloutOptions options;
    options.max_new_tokens = run_.training.max_new_tokens;
    options.rows_at_once = rows_at_once;
    return roll_out(policy(), drawn, options, times_);
  }

  Experience experience(FirstPass* first = nullptr) {
    Draw drawn = draw();
    Rollout rollout = roll(drawn);
    Scores rewards = score_rewards(*tiny_.objectives, drawn, rollout, times_);
    LogRatios ratios = score_log_ratios(
        policy(), drawn, rollout, run_.training, times_, first);
    Advantages advantages =
        make_advantages(drawn, rollout, rewards, ratios, {}, run_.training);
    return {
        std::move(drawn),
        std::move(rollout),
        std::move(rewards),
        std::move(ratios),
        std::move(advantages)};
  }

  // GB that suffice for one row.
  double least_budget() {
    TrainingOptions options = run_.training;
    const Draw drawn = draw();
    for (options.memory_budget = 1e-6;; options.memory_budget *= 1.01) {
      try {
        (void)plan_step(policy(), drawn, options);
        return options.memory_budget;
      } catch (const CallerError&) {
      }
    }
  }

  // The gradients as the optimizer takes them, coefficients aside.
  std::vector<at::Tensor> sums_of(
      const Experience& experience, const Minibatch& minibatch) {
    differentiate(policy(), experience, minibatch, run_.training, times_);
    std::vector<at::Tensor> sums;
    for (const auto& gradient : policy().conditioning()->gradients()) {
      sums.push_back(
          gradient.tensor.defined() ? gradient.tensor.clone() : at::Tensor());
    }
    return sums;
  }

  static void add_up(
      std::vector<at::Tensor>& sums, const std::vector<at::Tensor>& terms) {
    sums.resize(terms.size());
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (!terms[i].defined()) continue;
      sums[i] = sums[i].defined() ? sums[i] + terms[i] : terms[i];
    }
  }

  Gradients gradient(const Experience& experience, const Minibatch& minibatch) {
    differentiate(policy(), experience, minibatch, run_.training, times_);
    return gradients_of(policy());
  }

  Scratch scratch_;
  TinyRun run_;
  TinyTraining tiny_;
  StepTimes times_;
};

INSTANTIATE_TEST_SUITE_P(
    Sets,
    OnlineStep,
    testing::Values(SteeredSet::kLora, SteeredSet::kFull),
    [](const auto& set) { return enum_name(set.param); });

TEST_P(OnlineStep, AnExperienceServesSeveralUpdates) {
  const Experience e = experience();
  const Gradients once = gradient(e, whole_batch(e));
  EXPECT_GT(largest(once), 1e-4);
  EXPECT_TRUE(equal(gradient(e, whole_batch(e)), once));
  // A second epoch: the same completions under the parameters of the first.
  const auto optimizer =
      make_optimizer(*policy().conditioning(), run_.training.optimizer);
  for (int epoch = 0; epoch < 2; ++epoch) {
    const auto before = masters_of(policy());
    differentiate(policy(), e, whole_batch(e), run_.training, times_);
    EXPECT_GT(
        apply_update(*optimizer, *policy().conditioning(), 1.0, 0.02), 0.0);
    EXPECT_FALSE(equal(masters_of(policy()), before)) << epoch;
  }
  EXPECT_GT(distance(gradient(e, whole_batch(e)), once), 1e-4);
}

TEST_P(OnlineStep, TheGradientsOfMinibatchesAddUpToTheWholeBatchs) {
  for (const KlEstimator estimator :
       {KlEstimator::kSequence,
        KlEstimator::kRewardToGo,
        KlEstimator::kTokenExact}) {
    run_.training.kl_estimator = estimator;
    const Experience e = experience();
    const Gradients whole = gradient(e, whole_batch(e));
    Minibatch batch = whole_batch(e);
    batch.prompts = {1, 2, 5};
    Gradients sum = gradient(e, batch);
    batch.prompts = {0, 3, 4};
    for (const auto& [name, tensor] : gradient(e, batch))
      sum.at(name) = sum.at(name) + tensor;
    EXPECT_LT(distance(sum, whole), 1e-5 * largest(whole))
        << enum_name(estimator);
  }
}

// What N processes compute of a step, a slice or several each, is what one
// computes: added in order, to the last bit, whatever parts a slice has.
TEST_P(OnlineStep, SlicesAddUpToTheStepsGradientToTheLastBit) {
  for (const WeightingPer per : {WeightingPer::kPrompt, WeightingPer::kBatch}) {
    run_.training.weighting_per = per;
    for (const double budget : {8.0, least_budget(), 4 * least_budget()}) {
      run_.training.memory_budget = budget;
      const Experience e = experience();
      for (const std::int64_t slices : {2, 3, 6}) {
        SCOPED_TRACE(fmt::format("{} slices, {} GB", slices, budget));
        run_.training.gradient_accumulation = slices;
        Minibatch batch = whole_batch(e);
        std::vector<at::Tensor> by_hand;
        for (std::size_t s = 0; s < static_cast<std::size_t>(slices); ++s) {
          batch.slices = ItemRange{s, s + 1};
          add_up(by_hand, sums_of(e, batch));
        }
        const auto whole = sums_of(e, whole_batch(e));
        ASSERT_EQ(whole.size(), by_hand.size());
        for (std::size_t i = 0; i < whole.size(); ++i) {
          ASSERT_EQ(whole[i].defined(), by_hand[i].defined()) << i;
          if (!whole[i].defined()) continue;
          EXPECT_TRUE(at::equal(whole[i], by_hand[i])) << i;
        }
      }
    }
  }
}

// A slice of the step's prompts gets the step's tokens and log ratios, also
// when nothing else is computed beside it.
TEST_P(OnlineStep, ASliceIsSampledAndScoredAsInTheStep) {
  const Draw drawn = draw();
  const auto roll_slice = [&](const Draw& of) {
    RolloutOptions options;
    options.max_new_tokens = run_.training.max_new_tokens;
    options.steerings = std::ssize(drawn.coefficients);
    return roll_out(policy(), of, options, times_);
  };
  const Rollout whole = roll_slice(drawn);
  const LogRatios ratios =
      score_log_ratios(policy(), drawn, whole, run_.training, times_);
  const Scores scores = score_rewards(*tiny_.objectives, drawn, whole, times_);
  for (const auto& [begin, end] : slices_of(6, 3)) {
    const Draw slice = drawn.slice(begin, end);
    ASSERT_EQ(slice.rows(), (end - begin) * 4);
    const Rollout rollout = roll_slice(slice);
    const std::size_t first = drawn.first_row(begin);
    for (std::size_t r = 0; r < slice.rows(); ++r) {
      EXPECT_EQ(slice.row_of_step(r), first + r);
      EXPECT_EQ(rollout.rows[r].tokens, whole.rows[first + r].tokens);
      EXPECT_EQ(rollout.rows[r].log_probs, whole.rows[first + r].log_probs);
      EXPECT_EQ(rollout.texts[r], whole.texts[first + r]);
    }
    const auto of_whole = [&](const at::Tensor& all) {
      return all.narrow(
          0,
          static_cast<std::int64_t>(first),
          static_cast<std::int64_t>(slice.rows()));
    };
    const LogRatios found =
        score_log_ratios(policy(), slice, rollout, run_.training, times_);
    EXPECT_TRUE(at::equal(found.sequence, of_whole(ratios.sequence)));
    EXPECT_TRUE(at::equal(found.reward_kl, of_whole(ratios.reward_kl)));
    EXPECT_TRUE(at::equal(found.entropy, of_whole(ratios.entropy)));
    EXPECT_TRUE(at::equal(
        score_rewards(*tiny_.objectives, slice, rollout, times_).mapped,
        of_whole(scores.mapped)));
  }
  // Slices of a slice count from the step's first row.
  EXPECT_EQ(drawn.slice(2, 6).slice(1, 3).row_of_step(0), 12U);
}

// The pass that scored the rollout is the one that a gradient would take.
TEST_P(OnlineStep, TheFirstPassChangesNothingButTime) {
  const Experience plain = experience();
  const Gradients expected = gradient(plain, whole_batch(plain));
  for (const std::int64_t parts : {1, 3}) {
    run_.training.gradient_accumulation = parts;
    const Draw drawn = draw();
    FirstPass first(
        *policy().conditioning(),
        drawn,
        plan_step(policy(), drawn, run_.training));
    const Experience e = experience(&first);
    EXPECT_TRUE(at::equal(e.ratios.sequence, plain.ratios.sequence));
    differentiate(policy(), e, whole_batch(e), run_.training, times_, &first);
    EXPECT_LT(
        distance(gradients_of(policy()), expected), 1e-5 * largest(expected));
  }
}

// Rows are divided as finely as can be, also those of one prompt.
TEST_P(OnlineStep, AMemoryBudgetDividesRowsAndChangesNoNumber) {
  const Experience whole = experience();
  const Gradients expected = gradient(whole, whole_batch(whole));
  const Draw drawn = draw();
  const auto plan_of = [&](double budget) {
    run_.training.memory_budget = budget;
    return plan_step(policy(), drawn, run_.training);
  };
  double least = 1e-6;
  EXPECT_THROW(plan_of(least), CallerError);
  const auto suffices = [&] {
    try {
      (void)plan_of(least);
    } catch (const CallerError&) {
      return false;
    }
    return true;
  };
  while (!suffices())
    least *= 1.01;
  for (const double budget : {least, 2 * least, 4 * least}) {
    const StepPlan plan = plan_of(budget);
    const auto parts =
        split_step(drawn, whole.rollout, all_prompts(drawn), plan);
    if (budget == least) {
      EXPECT_GT(parts.size(), drawn.prompts.size());
    }
    FirstPass first(*policy().conditioning(), drawn, plan);
    EXPECT_FALSE(first.one_part);
    const Experience e = experience(&first);
    EXPECT_TRUE(at::equal(e.ratios.sequence, whole.ratios.sequence));
    EXPECT_TRUE(at::equal(e.advantages.advantage, whole.advantages.advantage));
    differentiate(policy(), e, whole_batch(e), run_.training, times_, &first);
    EXPECT_LT(
        distance(gradients_of(policy()), expected), 1e-5 * largest(expected));
  }
}

// A weight of 2 doubles the gradient; weights of 0 leave rows out.
TEST_P(OnlineStep, TokensCountByTheirWeights) {
  const Experience e = experience();
  Minibatch batch = whole_batch(e);
  const Gradients whole = gradient(e, batch);
  const at::Tensor lengths = e.rollout.lengths();
  const auto tokens = lengths.sum().item<std::int64_t>();
  batch.token_weights = at::full({tokens}, 2.0, at::kDouble);
  const Gradients doubled = gradient(e, batch);
  for (const auto& [name, tensor] : whole)
    EXPECT_LT(
        (doubled.at(name) - 2 * tensor).abs().max().item<double>(),
        1e-5 * largest(whole));
  const at::Tensor first_prompt =
      e.draw.prompt_of_row().eq(0).to(at::kDouble).repeat_interleave(lengths);
  batch.token_weights = first_prompt;
  const Gradients masked = gradient(e, batch);
  batch = whole_batch(e);
  batch.prompts = {0};
  EXPECT_LT(distance(gradient(e, batch), masked), 1e-5 * largest(whole));
}

TEST_P(OnlineStep, ARolloutInPartsSamplesTheSameTokens) {
  const Draw drawn = draw();
  const Rollout whole = roll(drawn);
  // Prompts whole and divided.
  for (const std::int64_t rows_at_once : {1, 3, 4, 16, 23}) {
    const Rollout parts = roll(drawn, rows_at_once);
    ASSERT_EQ(parts.rows.size(), whole.rows.size());
    for (std::size_t r = 0; r < whole.rows.size(); ++r) {
      EXPECT_EQ(parts.rows[r].tokens, whole.rows[r].tokens) << r;
      EXPECT_EQ(parts.rows[r].log_probs, whole.rows[r].log_probs) << r;
    }
    EXPECT_EQ(parts.texts, whole.texts);
    const LogRatios expected =
        score_log_ratios(policy(), drawn, whole, run_.training, times_);
    const LogRatios found =
        score_log_ratios(policy(), drawn, parts, run_.training, times_);
    EXPECT_TRUE(at::equal(found.sequence, expected.sequence));
  }
}

// The rollout's copies are applied as for its steerings; scoring works on one
// at a time, also after a rollout that failed.
TEST(RollOut, ExpectsItsSteeringsAndThenOne) {
  const Scratch scratch;
  Watch watch;
  TinyRun run = tiny_run();
  run.steered_set = SteeredSet::kFull;
  run.watch = &watch;
  TinyTraining tiny(scratch.path(), run);
  tiny.trainer->step();
  ASSERT_FALSE(watch.passes.empty());
  for (const Watch::Pass& pass : watch.passes) {
    EXPECT_EQ(
        pass.way, pass.decodes ? SteeringWay::kWide : SteeringWay::kMixed);
  }
  watch.before = [](const Watch::Pass& pass) {
    if (pass.decodes) throw std::runtime_error("no memory");
  };
  EXPECT_THROW(tiny.trainer->step(), std::runtime_error);
  for (const auto& parameter : tiny.policy->model().steerable().parameters)
    EXPECT_EQ(parameter->way(), SteeringWay::kMixed);
}

// Mixtures of rounded copies cost memory; the tokens do not depend on how many
// are kept at a time.
TEST(RollOut, InBf16KeepsEightMixturesAtATime) {
  const Scratch scratch;
  Watch watch;
  TinyRun run = tiny_run();
  run.steered_set = SteeredSet::kFull;
  run.storage = kernels::Storage::kBFloat16;
  run.training.prompts_per_step = 10;
  run.training.samples_per_prompt = 2;
  run.watch = &watch;
  TinyTraining tiny(scratch.path(), run);
  tiny.trainer->step();
  IndependentSteerings sampler(
      make_weighting_sampler({}, {"a", "b"}, "weightings"),
      run.training,
      tiny.policy->kl_range());
  const Draw draw = make_draw(
      *tiny.policy,
      tiny.trainer->prompts(),
      {0, 3, 1, 6, 2, 5, 4, 7, 0, 1},
      sampler.draw(3, 10),
      /*step=*/3,
      /*samples_per_prompt=*/2);
  const auto roll = [&](std::int64_t rows_at_once) {
    StepTimes times;
    RolloutOptions options;
    options.max_new_tokens = 6;
    options.rows_at_once = rows_at_once;
    return roll_out(*tiny.policy, draw, options, times);
  };
  watch.passes.clear();
  const Rollout whole = roll(0);
  ASSERT_EQ(watch.passes.size(), 2U);
  EXPECT_EQ(watch.passes[0].steerings, 8U);
  EXPECT_EQ(watch.passes[0].rows, 16U);
  EXPECT_EQ(watch.passes[1].steerings, 2U);
  const Rollout alone = roll(1);
  for (std::size_t r = 0; r < 20; ++r) {
    EXPECT_EQ(alone.rows[r].tokens, whole.rows[r].tokens) << r;
    EXPECT_EQ(alone.rows[r].log_probs, whole.rows[r].log_probs) << r;
  }
}

TEST(TrainingOptionsCheck, RefusesStepsOfTooManyCompletions) {
  TrainingOptions options;
  options.prompts_per_step = 1'000'000;
  options.samples_per_prompt = 10;
  EXPECT_NO_THROW(options.check(""));
  options.samples_per_prompt = 11;
  EXPECT_THROW(options.check(""), CallerError);
}

// Line 6, by hand, for one row.
TEST_P(OnlineStep, RewardsAndAdvantagesAreThoseOfTheFormula) {
  run_.training.advantage_normalisation = AdvantageNormalisation::kNone;
  run_.training.missing_eos_penalty = 0.25;
  const Experience e = experience();
  const auto reward = [&](std::size_t row) {
    const auto r = static_cast<std::int64_t>(row);
    const Steering& steering = e.draw.steerings[row / 4];
    double value = 0.0;
    for (std::int64_t i = 0; i < 2; ++i) {
      value += steering.w.values()[static_cast<std::size_t>(i)] *
               e.rewards.mapped[r][i].item<double>();
    }
    return (1 - steering.alpha) * value -
           steering.alpha * e.ratios.sequence[r].item<double>();
  };
  const auto trained = [&](std::size_t row) {
    return reward(row) - (e.rollout.rows[row].finished ? 0.0 : 0.25);
  };
  for (std::size_t row = 0; row < 24; ++row) {
    const auto r = static_cast<std::int64_t>(row);
    EXPECT_NEAR(e.advantages.reward[r].item<double>(), reward(row), 1e-12);
    double others = 0.0;
    for (std::size_t other = row / 4 * 4; other < row / 4 * 4 + 4; ++other)
      others += other == row ? 0.0 : trained(other) / 3;
    EXPECT_NEAR(
        e.advantages.advantage[r].item<double>(), trained(row) - others, 1e-12);
  }
}

}  // namespace
}  // namespace moft::test
