// Resamples of seeds and of prompts within them.
#include "moft/evaluation/nested_bootstrap.h"

#include <numeric>

#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/evaluation/bootstrap.h"

namespace moft {

NestedBootstrap::NestedBootstrap(
    std::size_t seeds, std::size_t prompts, NestedBootstrapOptions options)
    : seeds_(seeds), prompts_(prompts), options_(options) {
  if (seeds == 0 || prompts == 0 || options.resamples == 0) {
    throw_caller_error(
        "[bootstrap] {} seeds, {} prompts and {} resamples; give at least one "
        "of each",
        seeds,
        prompts,
        options.resamples);
  }
  if (!(options.error > 0 && options.error < 0.5)) {
    throw_caller_error(
        "[bootstrap] the error of a bound is {}; give a number between 0 and "
        "0.5",
        options.error);
  }
  const std::size_t numbers = seeds * prompts;
  counts_.assign(options.resamples * numbers, 0);
  for (std::size_t b = 0; b < options.resamples; ++b) {
    RandomStream stream(
        options.seed, Purpose::kBootstrap, 0, static_cast<std::uint32_t>(b));
    for (std::size_t s = 0; s < seeds; ++s) {
      const std::size_t drawn = seeds == 1 ? 0 : stream.below(seeds);
      std::uint16_t* row = counts_.data() + b * numbers + drawn * prompts;
      for (std::size_t n = 0; n < prompts; ++n)
        ++row[options.draw_prompts ? stream.below(prompts) : n];
    }
  }
}

Effect NestedBootstrap::mean(
    const std::vector<std::vector<double>>& scores) const {
  std::vector<double> flat;
  Effect effect;
  for (const std::vector<double>& seed : scores) {
    const double sum = std::accumulate(seed.begin(), seed.end(), 0.0);
    effect.seeds.push_back(sum / static_cast<double>(prompts_));
    if (seed.size() == prompts_)
      flat.insert(flat.end(), seed.begin(), seed.end());
  }
  if (scores.size() != seeds_ || flat.size() != seeds_ * prompts_) {
    throw_caller_error(
        "[bootstrap] the numbers are not those of {} seeds and {} prompts; a "
        "paired comparison needs the same prompts for every seed",
        seeds_,
        prompts_);
  }
  const auto all = static_cast<double>(flat.size());
  effect.mean = std::accumulate(flat.begin(), flat.end(), 0.0) / all;
  std::vector<double> means(options_.resamples);
  for (std::size_t b = 0; b < options_.resamples; ++b) {
    const std::uint16_t* row = counts_.data() + b * flat.size();
    double sum = 0;
    for (std::size_t k = 0; k < flat.size(); ++k)
      sum += row[k] * flat[k];
    means[b] = sum / all;
  }
  effect.lower = quantile(means, options_.error);
  effect.upper = quantile(means, 1 - options_.error);
  return effect;
}

}  // namespace moft
