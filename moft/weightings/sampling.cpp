// Draws weightings and KL strengths.
#include "moft/weightings/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "moft/core/errors.h"

namespace moft {
namespace {

void check_concentration(const std::vector<double>& concentration) {
  if (concentration.empty()) {
    throw_caller_error(
        "the Dirichlet concentration is empty; give one per objective");
  }
  for (std::size_t i = 0; i < concentration.size(); ++i) {
    if (!(std::isfinite(concentration[i]) && concentration[i] > 0.0)) {
      throw_caller_error(
          "Dirichlet concentration {} is {}; give a finite number above 0",
          i + 1,
          concentration[i]);
    }
  }
}

void check(const DirichletSampling& dirichlet) {
  check_concentration(dirichlet.concentration);
  const double p = dirichlet.corner_probability;
  if (!(p >= 0.0 && p <= 1.0)) {
    throw_caller_error(
        "the corner probability is {}; give a number from 0 to 1", p);
  }
}

void check(const GridSampling& grid) {
  if (grid.points.empty()) {
    throw_caller_error("the grid of weightings is empty; give at least one");
  }
  for (const Weighting& point : grid.points) {
    if (point.size() == 0 || point.size() != grid.points.front().size()) {
      throw_caller_error(
          "the grid mixes weightings of {} and {} objectives; give the same "
          "number in each",
          grid.points.front().size(),
          point.size());
    }
  }
}

void check(const FixedSampling& fixed) {
  if (fixed.w.size() == 0) {
    throw_caller_error("the fixed weighting is empty; give its weights");
  }
}

std::size_t objectives_of(const DirichletSampling& dirichlet) {
  return dirichlet.concentration.size();
}
std::size_t objectives_of(const GridSampling& grid) {
  return grid.points.front().size();
}
std::size_t objectives_of(const FixedSampling& fixed) {
  return fixed.w.size();
}

Weighting draw_from(const DirichletSampling& dirichlet, RandomStream& stream) {
  const double p = dirichlet.corner_probability;
  if (p > 0.0 && stream.uniform() < p) {
    const std::size_t m = dirichlet.concentration.size();
    return Weighting::corner(m, stream.below(m));
  }
  return sample_dirichlet(dirichlet.concentration, stream);
}
Weighting draw_from(const GridSampling& grid, RandomStream& stream) {
  return grid.points[stream.below(grid.points.size())];
}
Weighting draw_from(const FixedSampling& fixed, RandomStream&) {
  return fixed.w;
}

// The limit of Dirichlet(eps concentration) as eps falls to 0.
Weighting draw_corner(
    const std::vector<double>& concentration, RandomStream& stream) {
  const double largest =
      *std::max_element(concentration.begin(), concentration.end());
  std::vector<double> cumulated;
  double sum = 0.0;
  for (const double x : concentration) {
    cumulated.push_back(sum += x / largest);
  }
  const double mark = stream.uniform() * sum;
  const auto hit = std::upper_bound(cumulated.begin(), cumulated.end(), mark);
  const auto last = static_cast<std::size_t>(cumulated.size() - 1);
  const auto corner =
      std::min(static_cast<std::size_t>(hit - cumulated.begin()), last);
  return Weighting::corner(concentration.size(), corner);
}

}  // namespace

Weighting sample_dirichlet(
    const std::vector<double>& concentration, RandomStream& stream) {
  check_concentration(concentration);
  std::vector<double> values;
  for (const double shape : concentration) {
    values.push_back(stream.log_gamma(shape));
  }
  const double largest = *std::max_element(values.begin(), values.end());
  // Shapes around 1e-308 push every logarithm to minus infinity.
  if (!std::isfinite(largest)) return draw_corner(concentration, stream);
  double sum = 0.0;
  for (double& value : values) {
    value = std::exp(value - largest);
    sum += value;
  }
  for (double& value : values)
    value /= sum;
  return Weighting(std::move(values));
}

WeightingSampler::WeightingSampler(Distribution distribution)
    : distribution_(std::move(distribution)) {
  std::visit([](const auto& kind) { check(kind); }, distribution_);
}

std::size_t WeightingSampler::most_distinct(std::size_t draws) const {
  if (objectives() == 1) return std::min<std::size_t>(draws, 1);
  if (std::holds_alternative<FixedSampling>(distribution_))
    return std::min<std::size_t>(draws, 1);
  if (const auto* grid = std::get_if<GridSampling>(&distribution_))
    return std::min(draws, grid->points.size());
  return draws;
}

std::size_t WeightingSampler::objectives() const {
  return std::visit(
      [](const auto& kind) { return objectives_of(kind); }, distribution_);
}

Weighting WeightingSampler::draw(RandomStream& stream) const {
  return std::visit(
      [&](const auto& kind) { return draw_from(kind, stream); }, distribution_);
}

AlphaSampler::AlphaSampler(AlphaDistribution distribution, const KlRange& range)
    : distribution_(distribution), alpha_min_(range.alpha_min()) {
  const bool drawn = distribution != AlphaDistribution::kFixed;
  if (drawn && alpha_min_ == 0.0 &&
      (distribution == AlphaDistribution::kInverse ||
       range.f_mix() == FMix::kSoftmdp)) {
    throw_caller_error(
        "alpha_min is 0, which leaves nothing to draw the KL strength from; "
        "give alpha_min above 0 or a fixed alpha");
  }
}

double AlphaSampler::draw(RandomStream& stream) const {
  switch (distribution_) {
    case AlphaDistribution::kFixed:
      return alpha_min_;
    case AlphaDistribution::kInverse:
      return KlRange(alpha_min_).alpha_of(stream.uniform());
    case AlphaDistribution::kUniform:
      return alpha_min_ + (1.0 - alpha_min_) * stream.uniform();
  }
  throw_caller_error("unknown distribution of the KL strength");
}

}  // namespace moft
