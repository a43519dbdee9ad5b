// How a weighting turns a reward vector into one number.
//
// f(R; w) with the rewards R and the weighting w, both [m]; higher is better.
// Everything that ranks reward vectors goes through this interface: the
// training reward and its baseline, the values of a report, the choice of the
// best point. The value of a policy under KL strength alpha is
//   V = (1 - alpha) f(R; w) - alpha KL                  (arXiv 2407.15762, eq.
//   1)
//
// Every scalarisation is homogeneous of degree one in the weights,
// f(R; c w) = c f(R; w) for c >= 0, so callers may scale w instead of f.
// (Linear, weighted Chebyshev and w . log R all are.) Two readings of "the
// value of a weighting" differ for one that is not linear in R: the expected
// value of f (ESR) averages f over answers; f of the expected rewards (SER)
// is trained by linearising, i.e. by the reward g . R with g the gradient at
// the batch's mean rewards.
//
// Errors: CallerError when sizes differ.
// Thread safety: immutable; share freely.
#pragma once

#include <span>
#include <vector>

namespace moft {

class Scalarisation {
 public:
  virtual ~Scalarisation() = default;

  // f(R; w). rewards, weights [m].
  virtual double value(
      std::span<const double> rewards,
      std::span<const double> weights) const = 0;
  // df/dR_i, [m].
  virtual std::vector<double> gradient(
      std::span<const double> rewards,
      std::span<const double> weights) const = 0;
};

// w . R, summed from the first objective to the last; the gradient is w.
class LinearScalarisation final : public Scalarisation {
 public:
  double value(std::span<const double> rewards, std::span<const double> weights)
      const override;
  std::vector<double> gradient(
      std::span<const double> rewards,
      std::span<const double> weights) const override;
};

}  // namespace moft
