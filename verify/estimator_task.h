// The autoregressive task on which gradient estimators are told apart.
//
// Three tokens, at most three of them, 15 outputs; reference, two copies and
// two rewards from splitmix64 seed 21; w = (.3, .7), alpha = .2. The policy is
// the merge of the copies and the reference (equation 3) at a given mixing
// amount. For each way to bring KL into REINFORCE the expected gradient is
// summed over all outputs and compared with the gradient of the objective.
//
// Thread safety: immutable.
#pragma once

#include <vector>

#include "moft/core/field_attributes.h"

#include "verify/enumerated_problem.h"
#include "verify/token_tree.h"

namespace moft::exact {

// How KL enters the gradient (docs/methods/theory.md).
enum class KlTreatment {
  kSequenceK1,            // -alpha log(pi / ref) of the sequence in the reward
  kRewardToGo,            // the same per token, from the token on
  kTokenDirectAndFuture,  // exact per-token KL, differentiated, plus the score
                          // of a token times the KL after it
  kSequenceK2,            // (log ratio)^2 / 2 in the reward
  kSequenceK3,            // exp(-log ratio) - 1 + log ratio in the reward
  kTokenDirect,           // exact per-token KL, differentiated, nothing more
  kFullKl,                // the KL itself as a reward: no gradient at all
  kNone,                  // no KL
  kWrongSign,             // +alpha log(pi / ref)
};
constexpr auto enum_names(KlTreatment) {
  using enum KlTreatment;
  return EnumNames<KlTreatment, 9>{
      {{kSequenceK1, "k1_in_reward_seq"},
       {kRewardToGo, "k1_reward_to_go"},
       {kTokenDirectAndFuture, "tokenKL_direct_plus_future_score"},
       {kSequenceK2, "k2_in_reward"},
       {kSequenceK3, "k3_in_reward"},
       {kTokenDirect, "tokenKL_direct_only"},
       {kFullKl, "full_KL_as_reward"},
       {kNone, "reward_only"},
       {kWrongSign, "wrong_sign"}}};
}

class EstimatorTask {
 public:
  // alpha_min .05 gives a mixing amount of .789, alpha_min .2 gives 0.
  explicit EstimatorTask(double alpha_min);

  const TokenTree& tree() const { return tree_; }
  const EnumeratedProblem& problem() const { return problem_; }
  const Vector& w() const { return w_; }
  double alpha() const { return alpha_; }
  double beta() const { return beta_; }
  const Logits& reference() const { return reference_; }
  const Matrix& copies(int i) const { return copies_[i]; }
  const Logits& merged() const { return merged_; }

  PolicyScore score() const;
  Logits exact_gradient() const;
  // Expected gradient of the estimator.
  Logits gradient(KlTreatment treatment) const;
  // Trace of the covariance of the one-sample estimate kSequenceK1, with the
  // given baseline.
  double trace_variance(double baseline) const;
  double mean_reward() const;  // E[regularised reward]

 private:
  Vector log_ratio() const;  // of sequences

  TokenTree tree_;
  Logits reference_;
  std::vector<Logits> copies_;
  EnumeratedProblem problem_;
  Vector w_ = {0.3, 0.7};
  double alpha_ = 0.2;
  double beta_;
  Logits merged_;
};

struct GradientError {
  double largest = 0.0;  // absolute, over logits
  double cosine = 0.0;
};
GradientError compare(const Logits& estimate, const Logits& exact);

}  // namespace moft::exact
