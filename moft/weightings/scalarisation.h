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
// f(R; c w) = c f(R; w) for c >= 0, so callers may scale w instead of f, and
// concave in R. With s = sum_i w_i:
//
//   linear          w . R
//   Chebyshev       min over w_i > 0 of w_i (R_i - z_i)
//                   (weighted Chebyshev: -max_i w_i (z_i - R_i))
//   smooth minimum  -t s log sum over w_i > 0 of exp(-w_i (R_i - z_i) / (t s))
//                   (X. Lin et al., "Smooth Tchebycheff scalarization for
//                   multi-objective optimization", 2024, arXiv 2402.19078);
//                   between Chebyshev - t s log m and Chebyshev
//   Nash            sum_i w_i log(R_i - z_i), the logarithm continued by its
//                   tangent below `floor`
//   constraint      w . R - penalty s sum_j max(0, bound_j - R_j)
//
// z is the reference point: for Chebyshev and the smooth minimum at or above
// what rewards reach (below them a smaller weight would ask for a larger
// reward), for Nash what every objective has without an agreement.
//
// Where f has a kink, gradient() is the mean of the gradients of the pieces
// that meet there, so that it does not depend on the order of the objectives.
//
// Two readings of "the value of a weighting" differ for a scalarisation that
// is not linear in R: the expected value of f (ESR) averages f over answers; f
// of the expected rewards (SER) is trained by linearising, i.e. by the reward
// g . R with g the gradient at mean rewards (algorithms/expected_rewards.h).
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

class ChebyshevScalarisation final : public Scalarisation {
 public:
  // reference [m].
  explicit ChebyshevScalarisation(std::vector<double> reference);
  double value(std::span<const double> rewards, std::span<const double> weights)
      const override;
  std::vector<double> gradient(
      std::span<const double> rewards,
      std::span<const double> weights) const override;

 private:
  std::vector<double> reference_;
};

class SmoothMinimumScalarisation final : public Scalarisation {
 public:
  // reference [m]. CallerError unless temperature > 0.
  SmoothMinimumScalarisation(std::vector<double> reference, double temperature);
  double value(std::span<const double> rewards, std::span<const double> weights)
      const override;
  std::vector<double> gradient(
      std::span<const double> rewards,
      std::span<const double> weights) const override;

 private:
  std::vector<double> reference_;
  double temperature_;
};

class NashScalarisation final : public Scalarisation {
 public:
  // reference [m]. CallerError unless floor > 0.
  NashScalarisation(std::vector<double> reference, double floor);
  double value(std::span<const double> rewards, std::span<const double> weights)
      const override;
  std::vector<double> gradient(
      std::span<const double> rewards,
      std::span<const double> weights) const override;

 private:
  std::vector<double> reference_;
  double floor_;
};

class ConstraintScalarisation final : public Scalarisation {
 public:
  // bounds [m]: the least reward of each objective; -infinity for one that is
  // not constrained. CallerError unless penalty >= 0.
  ConstraintScalarisation(std::vector<double> bounds, double penalty);
  double value(std::span<const double> rewards, std::span<const double> weights)
      const override;
  std::vector<double> gradient(
      std::span<const double> rewards,
      std::span<const double> weights) const override;

 private:
  std::vector<double> bounds_;
  double penalty_;
};

}  // namespace moft
