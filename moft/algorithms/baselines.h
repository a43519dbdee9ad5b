// Baselines (control variates) of REINFORCE: what is subtracted from a reward
// so that the gradient's variance falls while its mean stays.
//
// R. Williams, "Simple statistical gradient-following algorithms", 1992.
// Unbiased is only a baseline that does not depend on the row's own sample:
//   leave_one_out  unbiased: W. Kool, H. van Hoof, M. Welling, "Buy 4
//                  REINFORCE samples, get a baseline for free!", 2019 (RLOO,
//                  arXiv 2402.14740, equation 8).
//   group_mean     shrinks the gradient by (n - 1) / n with n samples of a
//                  prompt, for the same reason (GRPO, arXiv 2402.03300, and
//                  Dr. GRPO, arXiv 2503.20783).
//   batch_mean     shrinks the gradient by (B - 1) / B, as each row's own
//                  reward is part of the mean; harmless once advantages are
//                  normalised.
//
// rewards [B]; results [B], double, no gradient.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

namespace moft {

// The mean of all rows, at every row. CallerError when B is 0.
at::Tensor batch_mean_baseline(const at::Tensor& rewards);

// For each row the mean reward of its group, itself included; groups as below.
at::Tensor group_mean_baseline(
    const at::Tensor& rewards, const at::Tensor& groups);

// For each row the mean reward of the OTHER rows of its group: the samples of
// one prompt under one steering. groups int64 [B], any labels.
// CallerError names a group with fewer than two rows.
at::Tensor leave_one_out_baseline(
    const at::Tensor& rewards, const at::Tensor& groups);

}  // namespace moft
