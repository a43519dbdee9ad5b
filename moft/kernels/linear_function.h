// A linear layer inside a differentiable computation, frozen or trained.
//
// forward  Y = X W^T  by PackedMatrix (row-independent bits on CPU)
// backward dX = dY W  by a second packing of W^T, made the first time a
//                     gradient passes; W gets no gradient.
//
// Thread safety: FrozenWeight may be shared between threads.
#pragma once

#include <memory>

#include <ATen/ATen.h>

#include "moft/kernels/packed_matrix.h"

namespace moft::kernels {

// A handle; copies share the packed panels.
class FrozenWeight {
 public:
  // weight [out, in], copied.
  explicit FrozenWeight(
      const at::Tensor& weight, Storage storage = Storage::kFloat32);

  // From a matrix packed already.
  explicit FrozenWeight(PackedMatrix packed);

  // Bytes held now; grows when the first gradient passes.
  std::int64_t bytes() const;
  const PackedMatrix& forward() const;
  // W^T packed, [in, out] read as [out', in']; made at the first call.
  const PackedMatrix& backward() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// x [.., in] -> [.., out]; differentiable in x only.
at::Tensor frozen_linear(const at::Tensor& x, const FrozenWeight& weight);

// The same forward product, bit for bit, with a gradient for the weight too:
// x [rows, in], `leaf` [out, in] the tensor that was packed.
// backward dX = dY leaf, d leaf = dY^T X; rounded to bf16 where the forward
// product rounds its inputs.
at::Tensor trained_linear(
    const at::Tensor& x, const at::Tensor& leaf, const FrozenWeight& packed);

// A low-rank adapter with a factor per row, beside a frozen matrix. `down` and
// `up` are what autograd differentiates; the packed halves are what multiplies.
struct RowAdapter {
  at::Tensor down;           // A [rank, in]
  at::Tensor up;             // B^T [rank, out]
  at::Tensor coefficients;   // c [rows or 1, rank], no gradient
  double scale = 1.0;        // s
  FrozenWeight packed_down;  // A
  FrozenWeight packed_up;    // s B [out, rank]
};

// x [rows, in] -> x W^T + (c * (x A^T)) (s B)^T [rows, out], differentiable
// in x, A and B; a row's bits depend on the row alone.
// backward, G of the result and L = c * (x A^T):
//   dB^T = s L^T G,  dL = c * (G s B),  dA = dL^T x,  dx = G W + dL A
at::Tensor adapted_linear(
    const at::Tensor& x, const FrozenWeight& weight, const RowAdapter& adapter);

}  // namespace moft::kernels
