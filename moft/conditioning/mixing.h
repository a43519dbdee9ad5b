// theta_S = c_0 theta_ref[S] + sum_i c_i theta^(i)   (CLP, equation 3)
//
// The sum runs in double and is rounded once, so that equal copies give back
// exactly the reference (a float sum does not, in one element of eight). A
// source whose coefficient is 0 is not read at all: a one-hot coefficient
// vector copies its source bit for bit.
//
// Thread safety: pure functions, parallel inside.
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "moft/kernels/packed_matrix.h"
#include "moft/weightings/steering.h"

namespace moft {

// sources: theta_ref, theta^(1), .., theta^(m), all of one shape and dtype.
// REQUIRES as many sources as coefficients, or the frozen reference's.
at::Tensor mix(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients);

// The same row by row as it is asked for: rows of matrices on the CPU, float32.
kernels::ReadRows mixed_rows(
    const std::vector<at::Tensor>& sources, const Coefficients& coefficients);

// mix() under each of K coefficient vectors, bit for bit: [K, shape..]. For
// small parameters (gains, biases) of a batch with several steerings.
at::Tensor mix_each(
    const std::vector<at::Tensor>& sources,
    const std::vector<Coefficients>& coefficients);

}  // namespace moft
