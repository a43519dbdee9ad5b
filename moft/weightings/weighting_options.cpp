// Samplers of weightings, as recipes describe them.
#include "moft/weightings/weighting_options.h"

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/weightings/grid.h"

namespace moft {

namespace {

DirichletSampling dirichlet(
    const WeightingOptions& options,
    const std::vector<std::string>& names,
    const std::string& place) {
  DirichletSampling sampling;
  sampling.concentration.assign(names.size(), options.concentration);
  sampling.corner_probability = options.corner_probability;
  for (const auto& [name, concentration] : options.concentrations) {
    std::size_t i = 0;
    while (i < names.size() && names[i] != name)
      ++i;
    if (i == names.size()) {
      throw_caller_error(
          "{}.concentrations names {}, which is not an objective; the "
          "objectives are {}",
          place,
          quote_text(name),
          join(names, ", "));
    }
    sampling.concentration[i] = concentration;
  }
  return sampling;
}

}  // namespace

void WeightingOptions::check(const std::string& path) const {
  bool fixed = sampler == WeightingDistribution::kFixed;
  if (fixed && weights.empty()) {
    throw_caller_error(
        "{}weights is empty but {}sampler is fixed; give one weight per "
        "objective",
        path,
        path);
  }
  if (!fixed && !weights.empty()) {
    throw_caller_error(
        "{}weights is given but {}sampler is {}; give sampler: fixed or leave "
        "weights out",
        path,
        path,
        enum_name(sampler));
  }
}

WeightingSampler make_weighting_sampler(
    const WeightingOptions& options,
    const std::vector<std::string>& names,
    const std::string& place) {
  if (names.empty()) {
    throw_caller_error("{}: there is no objective to weight", place);
  }
  switch (options.sampler) {
    case WeightingDistribution::kDirichlet:
      return WeightingSampler(dirichlet(options, names, place));
    case WeightingDistribution::kGrid:
      return WeightingSampler(GridSampling{simplex_cover(
          names.size(), static_cast<std::size_t>(options.grid_points))});
    case WeightingDistribution::kFixed:
      break;
  }
  return WeightingSampler(FixedSampling{
      weighting_from_map(options.weights, names, place + ".weights")});
}

}  // namespace moft
