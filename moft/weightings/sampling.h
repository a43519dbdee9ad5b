// Draws of a weighting and of a KL strength: the distribution Q of CLP (arXiv
// 2407.15762, algorithm 1 line 3 and appendix A.4).
//
// Errors: CallerError at construction for values that are not a distribution.
// Thread safety: samplers are immutable; the stream belongs to the caller.
#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "moft/core/random.h"
#include "moft/weightings/steering.h"
#include "moft/weightings/weighting.h"

namespace moft {

// Dirichlet(concentration), one positive number per objective; all ones is
// uniform, below one leans to the corners. With probability
// corner_probability a corner, each equally likely, is drawn instead.
struct DirichletSampling {
  std::vector<double> concentration;
  double corner_probability = 0.0;  // in [0, 1]; 0 turns it off
};

// One of the points, each equally likely.
struct GridSampling {
  std::vector<Weighting> points;
};

struct FixedSampling {
  Weighting w;
};

class WeightingSampler {
 public:
  using Distribution =
      std::variant<DirichletSampling, GridSampling, FixedSampling>;

  explicit WeightingSampler(Distribution distribution);

  std::size_t objectives() const;
  Weighting draw(RandomStream& stream) const;
  // The most distinct weightings that `draws` draws can give.
  std::size_t most_distinct(std::size_t draws) const;

 private:
  Distribution distribution_;
};

// Gammas are drawn and normalised in logarithms, so concentrations far below
// 1 give corners instead of 0/0.
Weighting sample_dirichlet(
    const std::vector<double>& concentration, RandomStream& stream);

//   kFixed:   always alpha_min.
//   kInverse: f_mix(alpha) uniform on [0, 1] for the softmdp f_mix, whatever
//             f_mix the range has; density alpha_min / ((1-alpha_min) alpha^2).
//   kUniform: uniform on [alpha_min, 1].
// A range that begins at 0 has nothing to draw from.
enum class AlphaDistribution { kFixed, kInverse, kUniform };

class AlphaSampler {
 public:
  // kInverse needs alpha_min > 0.
  AlphaSampler(AlphaDistribution distribution, const KlRange& range);

  double draw(RandomStream& stream) const;

 private:
  AlphaDistribution distribution_;
  double alpha_min_;
};

}  // namespace moft
