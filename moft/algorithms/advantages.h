// Advantages brought to one scale.
//
// CLP (arXiv 2407.15762), appendix B.1: "advantages are normalised over the
// batch"; GRPO (arXiv 2402.03300, section 4.1.1) does it within the samples of
// one prompt. A' = (A - mean) / (std + 1e-8), population standard deviation.
// Equal advantages give exactly 0, never 0/0.
//
// Normalising gives every weighting and every KL strength the same step size;
// where a batch holds several of them, per batch keeps their relative sizes.
//
// advantages [B]; results [B], double, no gradient.
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <ATen/ATen.h>

namespace moft {

enum class Normalisation {
  kNone,
  kBatch,  // mean and deviation of all rows
  kGroup,  // of the rows with the same group label
};

// "none", "batch", "group"; CallerError otherwise.
Normalisation parse_normalisation(std::string_view name);
std::string normalisation_name(Normalisation normalisation);

// Advantages and what each was divided by: 1 without normalisation, infinite
// where all advantages were equal.
struct NormalisedAdvantages {
  at::Tensor advantages;
  at::Tensor divisor;
};

// groups int64 [B], any labels; read by kGroup only and may otherwise be
// undefined.
NormalisedAdvantages normalise_with_divisor(
    const at::Tensor& advantages,
    Normalisation normalisation,
    const at::Tensor& groups = {});

// The advantages alone.
at::Tensor normalise_advantages(
    const at::Tensor& advantages,
    Normalisation normalisation,
    const at::Tensor& groups = {});

}  // namespace moft
