// A linear layer inside a differentiable computation, frozen or trained.
//
// forward  Y = X W^T + b  by PackedMatrix (row-independent bits on CPU)
// backward dX = dY W       by a second packing of W^T, made the first time a
//                         gradient passes; W and b get no gradient.
//
// Thread safety: FrozenWeight may be shared between threads.
#pragma once

#include <memory>
#include <optional>

#include <ATen/ATen.h>

#include "moft/kernels/packed_matrix.h"

namespace moft::kernels {

// A handle; copies share the packed panels.
class FrozenWeight {
 public:
  // weight [out, in]; bias [out] or none. Both are copied.
  explicit FrozenWeight(
      const at::Tensor& weight,
      Storage storage = Storage::kFloat32,
      const std::optional<at::Tensor>& bias = std::nullopt);

  // Without a bias, from a matrix packed already.
  explicit FrozenWeight(PackedMatrix packed);

  std::int64_t out() const;
  std::int64_t in() const;
  // Bytes held now; grows when the first gradient passes.
  std::int64_t bytes() const;
  // The weight [out, in] in float32.
  at::Tensor unpack() const;
  const PackedMatrix& forward() const;
  // W^T packed, [in, out] read as [out', in']; made at the first call.
  const PackedMatrix& backward() const;
  const std::optional<at::Tensor>& bias() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// x [.., in] -> [.., out]; differentiable in x only.
at::Tensor frozen_linear(const at::Tensor& x, const FrozenWeight& weight);

// The same forward product, bit for bit, with a gradient for the weight too:
// x [rows, in], `leaf` [out, in] the tensor that was packed.
// backward dX = dY leaf, d leaf = dY^T X.
at::Tensor trained_linear(
    const at::Tensor& x, const at::Tensor& leaf, const FrozenWeight& packed);

}  // namespace moft::kernels
