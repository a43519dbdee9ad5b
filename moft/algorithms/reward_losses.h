// Losses of classifiers and reward models, and how well they are calibrated.
//
// B rows, L labels. Every loss is the sum over its rows, [], double and
// differentiable, so that parts of a batch add up.
// Errors: CallerError when shapes do not fit.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

// sum_b -log softmax(logits_b)[label_b]; logits [B, L], labels int64 [B].
at::Tensor label_loss(const at::Tensor& logits, const at::Tensor& labels);

// Bradley and Terry's model of preferences (Ouyang et al., arXiv 2203.02155,
// equation 1) with a margin m_b (Touvron et al., arXiv 2307.09288, equation 2)
// and a term that keeps the scores' mean at 0 (Eisenstein et al., arXiv
// 2312.09244; TRL's center_rewards_coefficient):
//   sum_b -log sigmoid(c_b - r_b - m_b) + centring (c_b + r_b)^2
// scores [B, 2]: of the chosen and the rejected answer; margins [B] or
// undefined.
at::Tensor preference_loss(
    const at::Tensor& scores, const at::Tensor& margins, double centring);

// sum_b (output_b - target_b)^2; outputs [B, 1], targets [B].
at::Tensor squared_error_loss(
    const at::Tensor& outputs, const at::Tensor& targets);

// What a model said of a row, and whether it was right.
struct Judgement {
  double confidence = 0.0;  // probability of what it said
  bool right = false;
};

// Share of rows that are right.
double accuracy(const std::vector<Judgement>& judgements);

// Expected calibration error (Guo et al., arXiv 1706.04599): over `bins` equal
// intervals of the confidence, the difference between mean confidence and share
// of right rows, weighted by the rows in them. 0 without rows.
double calibration_error(
    const std::vector<Judgement>& judgements, std::size_t bins = 15);

}  // namespace moft
