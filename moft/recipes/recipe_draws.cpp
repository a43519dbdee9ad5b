// Histograms of what a recipe draws in training.
#include "moft/recipes/recipe_draws.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "moft/core/random.h"

namespace moft {

namespace {

constexpr int kBins = 20;

class Histogram {
 public:
  explicit Histogram(std::string name) : name_(std::move(name)) {}

  void add(double value) {
    const int bin = std::clamp(static_cast<int>(value * kBins), 0, kBins - 1);
    ++counts_[static_cast<std::size_t>(bin)];
    ++all_;
  }

  std::string rows() const {
    std::string text;
    for (int bin = 0; bin < kBins; ++bin) {
      text += fmt::format(
          "{},{:.2f},{:.2f},{:.6f}\n",
          name_,
          static_cast<double>(bin) / kBins,
          static_cast<double>(bin + 1) / kBins,
          static_cast<double>(counts_[static_cast<std::size_t>(bin)]) /
              static_cast<double>(all_));
    }
    return text;
  }

 private:
  std::string name_;
  std::array<std::int64_t, kBins> counts_{};
  std::int64_t all_ = 0;
};

}  // namespace

std::string draws_table(const Recipe& recipe, std::int64_t steps) {
  const TrainingOptions& training = recipe.training;
  const KlRange range = kl_range(recipe.conditioning, training.kl_strength);
  const WeightingSampler weightings = make_weighting_sampler(
      recipe.weightings, recipe.objective_names(), "weightings");
  const bool sampled = training.kl_sampler != AlphaDistribution::kFixed;
  const AlphaSampler strengths(training.kl_sampler, range);
  std::vector<Histogram> histograms;
  for (const std::string& name : recipe.objective_names())
    histograms.emplace_back(name);
  Histogram alphas("alpha"), amounts("f_mix");
  const auto seed = static_cast<std::uint64_t>(training.seed);
  for (std::int64_t k = 0; k < steps; ++k) {
    const auto step = static_cast<std::uint32_t>(k);
    RandomStream weighting_stream(seed, Purpose::kWeighting, step);
    RandomStream strength_stream(seed, Purpose::kKlStrength, step);
    const Weighting w = weightings.draw(weighting_stream);
    for (std::size_t i = 0; i < histograms.size(); ++i)
      histograms[i].add(w[i]);
    const double alpha =
        sampled ? strengths.draw(strength_stream) : training.kl_strength;
    alphas.add(alpha);
    amounts.add(range.mixing_amount(alpha));
  }
  std::string text = "quantity,from,to,share\n";
  for (const Histogram& histogram : histograms)
    text += histogram.rows();
  return text + alphas.rows() + amounts.rows();
}

}  // namespace moft
