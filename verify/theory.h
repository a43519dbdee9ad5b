// The theory of CLP (arXiv 2407.15762), section 6 and appendix E, as
// functions: what mixing two nearly optimal policies can lose.
//
// Two policies pi_1, pi_2, each near the optimum of its own reward, are mixed
// in logits, pi_lambda ~ pi_1^(1-lambda) pi_2^lambda, and compared with the
// optimum of the mixed reward. The paper's bounds hold but are far from tight,
// and two of the lemmas that they use do not; docs/methods/theory.md has the
// witnesses. corrected_bound is the one to use.
//
// All arguments are log-probabilities or logits of one size (REQUIRES).
// Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "verify/distributions.h"

namespace moft::exact {

// C_{p1,p2} = max_a p2(a) / p1(a) (section 6.1); +inf where p1 does not cover
// p2.
double coverage_constant(const Vector& log_p1, const Vector& log_p2);

// Normalised (1 - lambda) log p1 + lambda log p2.
Vector mix_log_probs(const Vector& log_p1, const Vector& log_p2, double lambda);

// ---- Lemmas ----------------------------------------------------------------

// Lemma 3's left side: (1-lambda) lse(x) + lambda lse(y) -
// lse((1-lambda) x + lambda y), at least 0.
double log_partition_gap(const Vector& x, const Vector& y, double lambda);
// As printed, B^2 / 8 with B the largest absolute entry: FALSE. The range is
// 2B, so Hoeffding's lemma gives B^2 / 2.
double lemma3_bound_as_printed(double largest);
double lemma3_bound(double largest);

// Lemma 4's use: KL(softmax x || softmax y) >= sigma / 2 |x - y|^2 for logits
// whose last entry is 0 and sigma = p_min / n. `base_only` takes p_min at x as
// the paper does, which is FALSE; with both ends it is true.
double quadratic_kl_bound(const Vector& x, const Vector& y, bool base_only);

// Lemma 5: the smallest eigenvalue of diag(q) - q q^T, q = p without its last
// entry, is at least p_min / n (equality for uniform p). REQUIRES p > 0, n
// >= 2.
double smallest_hessian_eigenvalue(const Vector& p);
double lemma5_bound(const Vector& p);

// ---- Mixtures --------------------------------------------------------------

// Two trained policies and the optima they approximate.
struct MixtureCase {
  Vector logits1, logits2;    // of the trained policies
  Vector optimal1, optimal2;  // logits of the optima for either reward
  double lambda = 0.5;
  double alpha = 0.1;  // KL strength
};

struct MixtureReport {
  double kl1 = 0.0, kl2 = 0.0;  // KL(pi_i || pi_i*)
  double gap = 0.0;             // V* - V of the mixture = alpha KL (Lemma 1)
  double epsilon = 0.0;         // alpha max(kl1, kl2): the policies' own loss
  double p_min = 0.0;           // smallest probability of either policy
  double eta = 0.0;             // largest logit, last one taken off
  double c12 = 0.0, c21 = 0.0;  // coverage constants
  double theorem1 = 0.0;        // with the constant 1
  double theorem2 = 0.0;
  double corrected = 0.0;   // (1-lambda) M1 eps1 + lambda M2 eps2,
                            // M_i = max_a pi_lambda / pi_i
  double simple = 0.0;      // epsilon / p_min
  double kl_mixture = 0.0;  // KL(pi_lambda || pi_lambda*)
};

MixtureReport bound_mixture(const MixtureCase& mixture);

// The corrected bound alone: gap <= this, for normalised policies and
// their own losses epsilon_i = alpha KL(pi_i || pi_i*).
double corrected_bound(
    const Vector& log_p1,
    const Vector& log_p2,
    double epsilon1,
    double epsilon2,
    double lambda);

// Where mixing truly fails: pi_1 = (1-2p, p, p), pi_2 = (p, 1-2p, p), optima
// with half the third probability, lambda = 1/2. kl_mixture / kl1 grows like
// 1 / sqrt(p).
MixtureCase bad_coverage(double p);

// Instance `seed` of the fixture: 2 to 8 outputs, random everything.
MixtureCase random_mixture(std::uint64_t seed);

}  // namespace moft::exact
