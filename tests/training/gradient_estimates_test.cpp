// Estimators of one gradient in the production loop: baselines and ways to
// bring the KL in change single steps, not their mean.
//
// The policy is trained a little and then stays fixed (learning rate 0), so
// that runs with equal seeds see the same completions; differences of two
// estimators per step are tested against 0 with their standard error.
#include <cmath>

#include <gtest/gtest.h>

#include "moft/conditioning/conditioning.h"

#include "tests/training/support.h"

namespace moft::test {
namespace {

using Gradient = std::vector<double>;

TinyRun still_run() {
  TinyRun run = tiny_run();
  run.steered_set = SteeredSet::kFull;
  run.training.weighting_per = WeightingPer::kBatch;  // one backward pass
  run.training.samples_per_prompt = 10;
  run.training.kl_strength = 0.5;
  run.training.advantage_normalisation = AdvantageNormalisation::kNone;
  run.training.optimizer.learning_rate = 0.0;
  run.training.value.learning_rate = 0.01;
  return run;
}

// The gradient of a step over all masters, in their order.
Gradient gradient_of(const SteeredPolicy& policy) {
  Gradient all;
  const Conditioning& conditioning = *policy.conditioning();
  const std::vector<ScaledGradient> gradients = conditioning.gradients();
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor gradient =
        gradients[i].tensor.defined()
            ? gradients[i].tensor * gradients[i].coefficient
            : at::zeros_like(conditioning.trained()[i].master);
    const at::Tensor flat = gradient.contiguous().view(-1).to(at::kDouble);
    const double* data = flat.const_data_ptr<double>();
    all.insert(all.end(), data, data + flat.numel());
  }
  return all;
}

class GradientEstimates : public testing::Test {
 protected:
  // Masters that a short training has moved from the reference.
  void SetUp() override {
    TinyRun run = still_run();
    run.training.optimizer.learning_rate = 0.02;
    TinyTraining tiny(scratch_.path(), run);
    for (int step = 0; step < 4; ++step)
      tiny.trainer->step();
    masters_ = masters_of(*tiny.policy);
  }

  std::vector<Gradient> gradients(const TinyRun& run) const {
    TinyTraining tiny(scratch_.path(), run);
    tiny.policy->conditioning()->load(
        [&](const std::string& name, const std::vector<std::int64_t>&) {
          return masters_.at(name);
        });
    std::vector<Gradient> result;
    for (int step = 0; step < kSteps; ++step) {
      tiny.trainer->step();
      result.push_back(gradient_of(*tiny.policy));
    }
    return result;
  }

  static constexpr int kSteps = 120;
  Scratch scratch_;
  std::map<std::string, at::Tensor> masters_;
};

Gradient mean_of(const std::vector<Gradient>& gradients) {
  Gradient mean(gradients[0].size(), 0.0);
  for (const Gradient& gradient : gradients) {
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += gradient[i] / static_cast<double>(gradients.size());
  }
  return mean;
}

// Mean difference of two estimators along a direction, in standard errors.
double deviation_along(
    const Gradient& direction,
    const std::vector<Gradient>& left,
    const std::vector<Gradient>& right) {
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t s = 0; s < left.size(); ++s) {
    double projection = 0.0;
    for (std::size_t i = 0; i < direction.size(); ++i)
      projection += direction[i] * (left[s][i] - right[s][i]);
    sum += projection;
    squares += projection * projection;
  }
  const auto count = static_cast<double>(left.size());
  const double mean = sum / count;
  const double variance = squares / count - mean * mean;
  return mean / std::sqrt(variance / (count - 1));
}

// The largest deviation along the mean gradient and along four random ones.
double largest_deviation(
    const std::vector<Gradient>& left, const std::vector<Gradient>& right) {
  double largest = std::abs(deviation_along(mean_of(right), left, right));
  for (std::uint32_t i = 0; i < 4; ++i) {
    RandomStream stream(8, Purpose::kTest, 0, i);
    Gradient direction(left[0].size());
    for (double& value : direction)
      value = stream.normal();
    largest =
        std::max(largest, std::abs(deviation_along(direction, left, right)));
  }
  return largest;
}

double mean_square(const std::vector<Gradient>& gradients) {
  double sum = 0.0;
  for (const Gradient& gradient : gradients) {
    for (const double value : gradient)
      sum += value * value;
  }
  return sum / static_cast<double>(gradients.size());
}

// Rows 58 and 62: a learning value network is a baseline like another.
TEST_F(GradientEstimates, TheValueNetworkLeavesTheMeanAlone) {
  TinyRun run = still_run();
  const auto others = gradients(run);
  run.training.baseline = Baseline::kValue;
  for (const ValueTarget target :
       {ValueTarget::kObjectives, ValueTarget::kReward}) {
    run.training.value.target = target;
    const auto value = gradients(run);
    EXPECT_LT(largest_deviation(value, others), 4.0);
    EXPECT_NE(value[0], others[0]);
  }
}

// Row 3b: the exact treatments agree in the mean, the others do not.
TEST_F(GradientEstimates, ExactKlEstimatorsAgreeInTheMeanOthersDoNot) {
  TinyRun run = still_run();
  const auto sequence = gradients(run);
  const auto estimate = [&](KlEstimator estimator) {
    run.training.kl_estimator = estimator;
    return gradients(run);
  };
  for (const KlEstimator exact :
       {KlEstimator::kRewardToGo, KlEstimator::kTokenExact}) {
    const auto gradient = estimate(exact);
    EXPECT_LT(largest_deviation(gradient, sequence), 4.0);
    EXPECT_NE(gradient[0], sequence[0]);
    EXPECT_LT(mean_square(gradient), mean_square(sequence));
  }
  for (const KlEstimator biased :
       {KlEstimator::kSequenceK2,
        KlEstimator::kSequenceK3,
        KlEstimator::kNone}) {
    EXPECT_GT(largest_deviation(estimate(biased), sequence), 4.5)
        << enum_name(biased);
  }
}

// At the reference every log ratio and every KL is 0, and so is the gradient
// of a token's KL: the first update is the same for all.
TEST_F(GradientEstimates, AllKlEstimatorsAgreeAtTheReference) {
  const auto first = [&](KlEstimator estimator, std::int64_t parts) {
    TinyRun run = still_run();
    run.training.kl_estimator = estimator;
    run.training.gradient_accumulation = parts;
    TinyTraining tiny(scratch_.path(), run);
    tiny.trainer->step();
    return gradient_of(*tiny.policy);
  };
  for (const std::int64_t parts : {1, 2}) {
    const Gradient wanted = first(KlEstimator::kSequence, parts);
    for (const auto& [estimator, name] : enum_names(KlEstimator{})) {
      const Gradient found = first(estimator, parts);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        ASSERT_NEAR(found[i], wanted[i], 1e-6) << name;
    }
  }
}

// Away from the reference too, in one part or in several.
TEST_F(GradientEstimates, GradientAccumulationGivesTheSameGradient) {
  for (const auto& [estimator, name] : enum_names(KlEstimator{})) {
    Gradient first;
    for (const std::int64_t parts : {1, 3}) {
      TinyRun run = still_run();
      run.training.kl_estimator = estimator;
      run.training.gradient_accumulation = parts;
      run.training.advantage_normalisation = AdvantageNormalisation::kGroup;
      TinyTraining tiny(scratch_.path(), run);
      tiny.policy->conditioning()->load(
          [&](const std::string& key, const std::vector<std::int64_t>&) {
            return masters_.at(key);
          });
      tiny.trainer->step();
      const Gradient found = gradient_of(*tiny.policy);
      if (first.empty()) {
        first = found;
        continue;
      }
      for (std::size_t i = 0; i < first.size(); ++i)
        ASSERT_NEAR(found[i], first[i], 2e-5) << name;
    }
  }
}

}  // namespace
}  // namespace moft::test
