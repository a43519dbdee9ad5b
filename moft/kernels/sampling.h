// Picks one token per row from logits, given one uniform number per row.
//
// Inverse-CDF in token-id order: the token is the first whose cumulative
// probability exceeds u times the total, so a row's token is a function of its
// own logits, options and uniform: neither neighbours nor threads matter.
// Truncation keeps, in this order, the top_k most probable tokens, then the
// smallest set of the most probable ones whose probability reaches top_p; ties
// go to the lower id; the kept tokens are renormalised. Another device than the
// CPU draws all rows at once (sampling_aten.h) where nothing is truncated.
#pragma once

#include <span>

#include <ATen/ATen.h>

#include "moft/kernels/sample_options.h"

namespace moft::kernels {

// logits [rows, V]; -inf forbids a token. options: one for all rows or one per
// row. uniforms: one per row, each in [0, 1). Results lie on the CPU.
// CallerError on bad options; WorldError names the row when its logits hold
// NaN, +inf or nothing but -inf.
Samples sample_rows(
    const at::Tensor& logits,
    std::span<const SampleOptions> options,
    std::span<const double> uniforms);

inline Samples sample_rows(
    const at::Tensor& logits,
    const SampleOptions& options,
    std::span<const double> uniforms) {
  return sample_rows(logits, std::span(&options, 1), uniforms);
}

}  // namespace moft::kernels
