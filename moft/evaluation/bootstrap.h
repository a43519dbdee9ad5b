// Percentile bootstrap over prompts.
//
// A prompt is the unit that is drawn: all samples of one prompt stay together,
// because a statistic sees one number per prompt (the mean over its samples).
// One Bootstrap holds one set of resamples; every statistic taken from it sees
// the same resampled prompts, so differences are paired.
//
// Sources: Efron (1979); paired use as in Koehn (EMNLP 2004).
// Thread safety: immutable after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

struct BootstrapOptions {
  std::size_t resamples = 2000;
  double level = 0.95;  // two-sided
  std::uint64_t seed = 0;
};

// The q-quantile of the numbers, linear between order statistics (the default
// of numpy). REQUIRES at least one number and 0 <= q <= 1.
double quantile(std::vector<double> values, double q);

class Bootstrap {
 public:
  // Draws `resamples` times `prompts` prompts with replacement; resample b
  // comes from RandomStream(seed, Purpose::kBootstrap, 0, b) alone.
  // Throws CallerError for no prompts, no resamples or a level outside (0, 1).
  explicit Bootstrap(std::size_t prompts, BootstrapOptions options = {});

  // Mean of one number per prompt with its percentile interval.
  Interval mean(const std::vector<double>& per_prompt) const;

  // mean(a - b) with its interval; a and b over the same prompts.
  Interval difference(
      const std::vector<double>& a, const std::vector<double>& b) const;

  // Standard deviation of mean(a - b) over the resamples.
  double paired_standard_error(
      const std::vector<double>& a, const std::vector<double>& b) const;

  // The means of all resamples, [resamples].
  std::vector<double> resampled_means(
      const std::vector<double>& per_prompt) const;

  std::size_t prompts() const { return prompts_; }
  const BootstrapOptions& options() const { return options_; }

 private:
  std::size_t prompts_;
  BootstrapOptions options_;
  std::vector<std::uint16_t> counts_;  // [resamples, prompts]
};

// Which neighbours along the knob step back: for consecutive entries of
// `scores` (ordered by rising weight of the objective, each [prompts]), the
// decision mean(next) - mean(previous) < -standard_errors * paired SE.
// `weights` are the objective's weights, for the record.
std::vector<StepBack> front_steps_back(
    const std::vector<std::vector<double>>& scores,
    const std::vector<double>& weights,
    const Bootstrap& bootstrap,
    double standard_errors = 2);

// The same for one objective of an evaluated front: points of equal alpha and
// equal weight of the objective are averaged prompt by prompt, then compared
// along rising weight. Needs the points' per_prompt rewards.
std::vector<StepBack> front_steps_back(
    const std::vector<FrontPoint>& points,
    const std::string& objective,
    const Bootstrap& bootstrap,
    double standard_errors = 2);

// Does policy a dominate policy b in the paper's sense (arXiv 2407.15762,
// section 2)? Values of both at the same weightings on the same prompts.
struct DominanceTest {
  struct Verdict {
    double difference = 0;   // mean of a - b
    double lower_bound = 0;  // one-sided bound at level 1 - error
    double upper_bound = 0;
  };
  std::vector<Verdict> weightings;  // [K]
  std::size_t won = 0;              // lower bound above 0
  std::size_t lost = 0;             // upper bound below 0
  std::size_t tied = 0;
  double smallest_bound = 0;
  bool dominates = false;  // every lower bound above -margin
};

// Intersection-union test (Berger, 1982): every one-sided bootstrap bound must
// hold, no correction for their number. a and b are [K][prompts] values.
DominanceTest dominance_test(
    const std::vector<std::vector<double>>& a,
    const std::vector<std::vector<double>>& b,
    const Bootstrap& bootstrap,
    double margin = 0,
    double error = 0.05);

}  // namespace moft
