// Advantages brought to one scale.
//
// CLP (arXiv 2407.15762), appendix B.1: "advantages are normalised over the
// batch"; GRPO (arXiv 2402.03300, section 4.1.1) does it within the samples of
// one prompt. A' = (A - mean) / max(std + 1e-8, kLeastDivisor), population
// standard deviation.
//
// Rewards tie when their spread, before a baseline is subtracted, is at most
// kTieTolerance times the largest |reward|: what a baseline leaves of them is
// rounding, which no division may make large. The advantages of a normaliser
// whose rewards all tie are exactly 0 and were divided by 1.
//
// Normalising gives every weighting and every KL strength the same step size;
// where a batch holds several of them, per batch keeps their relative sizes.
//
// advantages [B]; results [B], double, no gradient.
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

#include "moft/algorithms/choices.h"

namespace moft {

inline constexpr double kTieTolerance = 1e-9;
// What is divided by is never less: a thousandth of the range [0, 1] that
// rewards are mapped to. Smaller differences stay small, and so does the
// weight of a KL that is divided by the same number.
inline constexpr double kLeastDivisor = 1e-3;

// Advantages and what each was divided by: 1 without normalisation and where
// the rewards tied.
struct NormalisedAdvantages {
  at::Tensor advantages;
  at::Tensor divisor;
};

// The rows of an update.
struct AdvantageTerms {
  at::Tensor rewards;   // [B], before the baseline
  at::Tensor baseline;  // [B]; undefined: 0, and it leaves no rounding
  at::Tensor groups;    // int64 [B]: the completions of one prompt
  // The baseline is made of the group's own rewards (leave one out), so that
  // the advantages of a group whose rewards tie are 0 whatever the others'.
  bool baseline_of_group = false;
  // [B], the numbers that ties are read from; undefined: the rewards.
  at::Tensor compared = {};
};

// rewards - baseline, normalised. Without normalisation all rows are
// together, and rewards that all tie give 0 too (two rows at least); where
// there is no baseline they stay.
NormalisedAdvantages make_advantages(
    const AdvantageTerms& terms, AdvantageNormalisation normalisation);

// The share of groups whose rewards tie; where no group has two rows all rows
// count as one group.
double share_of_ties(const at::Tensor& rewards, const at::Tensor& groups);

}  // namespace moft
