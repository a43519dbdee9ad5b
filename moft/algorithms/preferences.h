// Direct preference optimisation (Rafailov et al., arXiv 2305.18290) for all
// weightings w and KL strengths alpha at once.
//
// The optimum of CLP's equation 1 is pi* ~ ref exp((1 - alpha) / alpha w.R), so
//   w.R(y) = beta h(y) + const,  beta = alpha / (1 - alpha),
//   h(y) = log pi*(y|x) - log ref(y|x).
// With q the probability that the first of two answers is preferred, the loss
// of a pair is the cross entropy of sigmoid(z), z = beta (h_1 - h_2), with it:
//   -q log sigmoid(z) - (1 - q) log sigmoid(-z);  d/dz = sigmoid(z) - q.
// Its minimum over policies is pi* when q = sigmoid(w.R_1 - w.R_2) (Bradley and
// Terry). With q = 1 it is equation 7 of the paper.
//
// P pairs, m objectives; double tensors.
// Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <ATen/ATen.h>

#include "moft/algorithms/preference_options.h"

namespace moft {

// beta = alpha / (1 - alpha) of every element. CallerError unless all of alpha
// are above 0 and below 1: at 0 nothing is learned of pairs, at 1 the optimum
// is the reference.
at::Tensor preference_beta(const at::Tensor& alphas);
double preference_beta(double alpha);

struct PreferenceTargets {
  at::Tensor first;  // [P], q of the loss; outside [0, 1] with `robust`
  at::Tensor sign;   // [P], 1 where the first is preferred, -1 the second, or 0
  at::Tensor kept;   // [P], 1, or 0 for pairs that are left out

  PreferenceTargets select(const at::Tensor& pairs) const;  // int64 indices
};

// first, second: mapped scores [P, m] of the two answers; weights [P, m]. With
//   bradley_terry  q = sigmoid(w.(R_1 - R_2))
//   better         q = 1, 0, or 1/2 where the two are equal
//   votes          q = sum_i w_i [R_1i > R_2i] + w_i / 2 [R_1i = R_2i]
// and label noise e: sigmoid makes it (1 - 2 e) q + e, robust (q - e) / (1 - 2
// e), whose loss is, on average over flipped labels, that of the true ones
// (Chowdhury et al., arXiv 2403.00409). Two numbers closer than 1e-9 are equal.
PreferenceTargets preference_targets(
    const at::Tensor& first,
    const at::Tensor& second,
    const at::Tensor& weights,
    const PreferenceLossOptions& options);

// The sum of the losses of the pairs that are kept: [], differentiable in
// margins z [P].
at::Tensor dpo_loss(
    const at::Tensor& margins, const PreferenceTargets& targets);

// -d loss / d z of each pair, [P]: q - sigmoid(z), 0 where it is left out.
at::Tensor dpo_slope(
    const at::Tensor& margins, const PreferenceTargets& targets);

// Numbers of pairs, the first answer in column 0.
struct PairScores {
  at::Tensor log_probs;   // [P, 2], log pi
  at::Tensor log_ratios;  // [P, 2], log pi - log ref
  at::Tensor betas;       // [P]

  at::Tensor margins() const;  // [P], z
};

// Figures of pairs as sums, so that parts of a step add up.
class PreferenceFigures {
 public:
  void add(const PairScores& scores, const PreferenceTargets& targets);

  // Mean loss over the pairs that were kept; 0 without any.
  double loss() const;
  // loss, rewards/{chosen, rejected, margins, accuracies}, logps/{chosen,
  // rejected}, as TRL has them, over the pairs with a preferred answer (absent
  // without one); preferences/ties, the share of the others.
  std::map<std::string, double> metrics() const;

 private:
  double loss_ = 0.0;
  double kept_ = 0.0;
  double pairs_ = 0.0;
  double decided_ = 0.0;
  // Sums over the decided pairs.
  std::map<std::string, double> sums_;
};

// ---- online: the completions of a prompt against each other ----------------

// Every pair of rows of one prompt, the earlier row first, of the rows in
// `kept`. prompt_of_row int64 [B], kept int64 [K], rising.
struct RowPairs {
  at::Tensor first;   // int64 [P]
  at::Tensor second;  // int64 [P]
};
RowPairs pairs_of_rows(const at::Tensor& prompt_of_row, const at::Tensor& kept);

// What the gradient of the mean loss over `pairs` pairs multiplies each row's
// grad log pi by, negated: [rows], the sum over its pairs of +- beta slope,
// times 1 / (pairs kept). REINFORCE with these as advantages, divided by 1, is
// DPO's gradient.
at::Tensor row_advantages(
    const RowPairs& pairs,
    const PairScores& scores,
    const PreferenceTargets& targets,
    std::int64_t rows);

}  // namespace moft
