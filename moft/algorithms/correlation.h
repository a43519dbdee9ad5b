// How much several numbers of the same rows agree.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <vector>

#include <ATen/ATen.h>

#include "moft/algorithms/gradient.h"

namespace moft {

// Two of m objectives, the first with the lower index.
struct ObjectivePair {
  std::size_t first;
  std::size_t second;
  double value = 0.0;
};

// Pearson's correlation of every pair of columns of `rewards` [B, m]. With
// groups (int64 [B]) each group's mean is subtracted first: what is left is
// what an update compares. Pairs with a column that does not vary are left out.
std::vector<ObjectivePair> reward_correlations(
    const at::Tensor& rewards, const at::Tensor& groups = {});

// The cosine of every pair of gradients, each a list with one entry per
// trained tensor; an entry that takes no part counts as 0. Pairs with a
// gradient of length 0 are left out. REQUIRES lists of one length.
std::vector<ObjectivePair> gradient_cosines(
    const std::vector<std::vector<ScaledGradient>>& gradients);

}  // namespace moft
