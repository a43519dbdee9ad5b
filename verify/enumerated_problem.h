// A KL-regularised problem whose outputs can be listed, and its exact answers.
//
// CLP (arXiv 2407.15762), equation 1 and appendix E. For a weighting w and a
// KL strength alpha the value of a policy is
//   V(pi) = (1 - alpha) sum_i w_i E[R_i] - alpha KL(pi || ref),
// its maximiser pi* = ref exp((1 - alpha) w.R / alpha) / Z and V* = alpha log
// Z. At alpha = 1 the maximiser is the reference and V* = 0.
//
// Lemma 1: V* - V(pi) = alpha KL(pi || pi*) for every policy, which makes the
// optimum a measuring stick for sampled values, KL and rewards at once.
//
// Errors: CallerError unless 0 < alpha <= 1 and w has one weight a reward.
// Thread safety: plain values and pure functions.
#pragma once

#include <cstdint>

#include "verify/distributions.h"

namespace moft::exact {

// [n] outputs, [m] rewards.
struct EnumeratedProblem {
  Vector reference;  // log-probabilities [n]
  Matrix rewards;    // [m][n]

  std::size_t outputs() const { return reference.size(); }
  std::size_t objectives() const { return rewards.size(); }
};

struct PolicyScore {
  double value = 0.0;  // V
  double kl = 0.0;     // KL(pi || ref), nats
  Vector rewards;      // E R_i [m]
  Vector values;       // V_i = (1 - alpha) E R_i - alpha KL [m]
};

struct Optimum {
  Vector log_probs;  // of pi* [n]
  double log_z = 0.0;
  double value = 0.0;  // alpha log Z
};

// Adds `share` of every figure of `one`, such as a prompt's part of a mean.
void add_share(PolicyScore& mean, double share, const PolicyScore& one);

// log_probs [n], normalised.
PolicyScore score_policy(
    const EnumeratedProblem& problem,
    const Vector& log_probs,
    const Vector& w,
    double alpha);

Optimum optimum(
    const EnumeratedProblem& problem, const Vector& w, double alpha);

// alpha KL(pi || pi*): what the policy loses to the optimum (Lemma 1).
double loss_to_optimum(
    const EnumeratedProblem& problem,
    const Vector& log_probs,
    const Vector& w,
    double alpha);

// ref = softmax of n normals, then m rows of n uniform rewards.
EnumeratedProblem make_bandit(std::uint64_t seed, int outputs, int objectives);

}  // namespace moft::exact
