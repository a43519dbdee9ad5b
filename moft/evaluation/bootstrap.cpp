// Percentile bootstraps over prompts.
#include "moft/evaluation/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/random.h"

namespace moft {
namespace {

double plain_mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) /
         static_cast<double>(x.size());
}

std::vector<double> subtract(
    const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) {
    throw_caller_error(
        "[bootstrap] {} prompts beside {}; a paired comparison needs the "
        "same prompts",
        a.size(),
        b.size());
  }
  std::vector<double> result(a.size());
  for (std::size_t n = 0; n < a.size(); ++n)
    result[n] = a[n] - b[n];
  return result;
}

void check_options(std::size_t prompts, const BootstrapOptions& options) {
  if (prompts == 0 || prompts > std::numeric_limits<std::uint32_t>::max()) {
    throw_caller_error(
        "[bootstrap] {} prompts; give between 1 and 4294967295", prompts);
  }
  if (options.resamples == 0) {
    throw_caller_error("[bootstrap] 0 resamples; give at least 1");
  }
  if (!(options.level > 0 && options.level < 1)) {
    throw_caller_error(
        "[bootstrap] level is {}; give a number between 0 and 1",
        options.level);
  }
}

}  // namespace

double quantile(std::vector<double> values, double q) {
  if (values.empty() || !(q >= 0 && q <= 1)) {
    throw_caller_error(
        "[quantile] {} numbers, q = {}; give at least one number and q in "
        "[0, 1]",
        values.size(),
        q);
  }
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto cut = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), cut, values.end());
  const double low = *cut;
  if (below + 1 == values.size()) return low;
  const double high = *std::min_element(cut + 1, values.end());
  return low + (place - static_cast<double>(below)) * (high - low);
}

Bootstrap::Bootstrap(std::size_t prompts, BootstrapOptions options)
    : prompts_(prompts), options_(options) {
  check_options(prompts, options);
  counts_.assign(options_.resamples * prompts_, 0);
  for (std::size_t b = 0; b < options_.resamples; ++b) {
    RandomStream stream(
        options_.seed, Purpose::kBootstrap, 0, static_cast<std::uint32_t>(b));
    std::uint16_t* row = counts_.data() + b * prompts_;
    for (std::size_t n = 0; n < prompts_; ++n)
      ++row[stream.below(prompts_)];
  }
}

std::vector<double> Bootstrap::resampled_means(
    const std::vector<double>& per_prompt) const {
  if (per_prompt.size() != prompts_) {
    throw_caller_error(
        "[bootstrap] {} numbers for {} prompts; give one number per prompt",
        per_prompt.size(),
        prompts_);
  }
  std::vector<double> means(options_.resamples);
  for (std::size_t b = 0; b < options_.resamples; ++b) {
    const std::uint16_t* row = counts_.data() + b * prompts_;
    double sum = 0;
    for (std::size_t n = 0; n < prompts_; ++n)
      sum += row[n] * per_prompt[n];
    means[b] = sum / static_cast<double>(prompts_);
  }
  return means;
}

Interval Bootstrap::mean(const std::vector<double>& per_prompt) const {
  const std::vector<double> means = resampled_means(per_prompt);
  const double tail = 0.5 * (1 - options_.level);
  return {
      plain_mean(per_prompt), quantile(means, tail), quantile(means, 1 - tail)};
}

Interval Bootstrap::difference(
    const std::vector<double>& a, const std::vector<double>& b) const {
  return mean(subtract(a, b));
}

double Bootstrap::paired_standard_error(
    const std::vector<double>& a, const std::vector<double>& b) const {
  const std::vector<double> means = resampled_means(subtract(a, b));
  const double center = plain_mean(means);
  double sum = 0;
  for (const double x : means)
    sum += (x - center) * (x - center);
  return std::sqrt(sum / static_cast<double>(means.size()));
}

std::vector<StepBack> front_steps_back(
    const std::vector<std::vector<double>>& scores,
    const std::vector<double>& weights,
    const Bootstrap& bootstrap,
    double standard_errors) {
  if (scores.size() != weights.size()) {
    throw_caller_error(
        "[front_steps_back] {} rows of scores for {} weights; give one row "
        "per weight",
        scores.size(),
        weights.size());
  }
  std::vector<StepBack> found;
  for (std::size_t k = 1; k < scores.size(); ++k) {
    StepBack step;
    step.from_weight = weights[k - 1];
    step.to_weight = weights[k];
    step.standard_error =
        bootstrap.paired_standard_error(scores[k], scores[k - 1]);
    step.difference = plain_mean(subtract(scores[k], scores[k - 1]));
    // The tiny allowance keeps rounding of equal numbers from counting.
    if (step.difference < -standard_errors * step.standard_error - 1e-12) {
      found.push_back(step);
    }
  }
  return found;
}

std::vector<StepBack> front_steps_back(
    const std::vector<FrontPoint>& points,
    const std::string& objective,
    const Bootstrap& bootstrap,
    double standard_errors) {
  // alpha -> (weight rounded to 1e-9 -> per-prompt rewards of its points)
  std::map<double, std::map<long long, std::vector<std::vector<double>>>>
      levels;
  for (const FrontPoint& point : points) {
    const double weight = point.weights.at(objective);
    levels[point.alpha][std::llround(weight * 1e9)].push_back(
        point.per_prompt.rewards.at(objective));
  }
  std::vector<StepBack> found;
  for (const auto& [alpha, path] : levels) {
    std::vector<std::vector<double>> scores;
    std::vector<double> weights;
    for (const auto& [key, rows] : path) {
      std::vector<double> level(rows.front().size(), 0.0);
      for (const auto& row : rows) {
        for (std::size_t n = 0; n < level.size(); ++n) {
          level[n] += row.at(n) / static_cast<double>(rows.size());
        }
      }
      scores.push_back(std::move(level));
      weights.push_back(static_cast<double>(key) * 1e-9);
    }
    for (StepBack step :
         front_steps_back(scores, weights, bootstrap, standard_errors)) {
      step.objective = objective;
      found.push_back(std::move(step));
    }
  }
  return found;
}

DominanceTest dominance_test(
    const std::vector<std::vector<double>>& a,
    const std::vector<std::vector<double>>& b,
    const Bootstrap& bootstrap,
    double margin,
    double error) {
  if (a.size() != b.size() || a.empty()) {
    throw_caller_error(
        "[dominance_test] {} weightings beside {}; give the same ones, at "
        "least one",
        a.size(),
        b.size());
  }
  DominanceTest test;
  test.smallest_bound = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < a.size(); ++k) {
    const std::vector<double> gain = subtract(a[k], b[k]);
    const std::vector<double> means = bootstrap.resampled_means(gain);
    DominanceTest::Verdict verdict;
    verdict.difference = plain_mean(gain);
    verdict.lower_bound = quantile(means, error);
    verdict.upper_bound = quantile(means, 1 - error);
    if (verdict.lower_bound > 0) ++test.won;
    if (verdict.upper_bound < 0) ++test.lost;
    test.smallest_bound = std::min(test.smallest_bound, verdict.lower_bound);
    test.weightings.push_back(verdict);
  }
  test.tied = a.size() - test.won - test.lost;
  test.dominates = test.smallest_bound > -margin;
  return test;
}

}  // namespace moft
