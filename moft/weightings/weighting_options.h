// How weightings are drawn while training.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/weightings/sampling.h"

namespace moft {

enum class WeightingDistribution { kDirichlet, kGrid, kFixed };
constexpr auto enum_names(WeightingDistribution) {
  return EnumNames<WeightingDistribution, 3>{{
      {WeightingDistribution::kDirichlet, "dirichlet"},
      {WeightingDistribution::kGrid, "grid"},
      {WeightingDistribution::kFixed, "fixed"},
  }};
}

constexpr auto enum_names(AlphaDistribution) {
  return EnumNames<AlphaDistribution, 3>{{
      {AlphaDistribution::kFixed, "fixed"},
      {AlphaDistribution::kInverse, "inverse"},
      {AlphaDistribution::kUniform, "uniform"},
  }};
}

struct WeightingOptions {
  WeightingDistribution sampler = WeightingDistribution::kDirichlet;
  double concentration = 1.0;
  std::map<std::string, double> concentrations;
  double corner_probability = 0.0;
  std::int64_t grid_points = 5;
  std::map<std::string, double> weights;

  template <class V>
  void fields(V& v) {
    v("sampler",
      sampler,
      Help{"dirichlet: anywhere on the simplex; grid: one of grid_points; "
           "fixed: always `weights`"});
    v("concentration",
      concentration,
      Help{"dirichlet: of every objective; 1 is uniform, below 1 leans to the "
           "corners, above 1 to the middle"},
      above(0));
    v("concentrations",
      concentrations,
      Help{"dirichlet: by objective name, instead of `concentration` for that "
           "objective"},
      above(0));
    v("corner_probability",
      corner_probability,
      Help{"dirichlet: how often all weight goes to one objective drawn at "
           "random; 0: only as often as the distribution does it"},
      between(0, 1));
    v("grid_points",
      grid_points,
      Help{
          "grid: least number of points, spread evenly over the simplex",
          "weightings"},
      between(1, 100000));
    v("weights",
      weights,
      Help{"fixed: the weighting by objective name; sums to 1"},
      at_least(0));
  }

  void check(const std::string& path) const;
};

// The sampler over the objectives `names`, in that order. Throws CallerError
// for a name that is not an objective, a missing one, or weights that are not a
// weighting; `place` opens the message ("recipe.yaml: weightings").
WeightingSampler make_weighting_sampler(
    const WeightingOptions& options,
    const std::vector<std::string>& names,
    const std::string& place);

}  // namespace moft
