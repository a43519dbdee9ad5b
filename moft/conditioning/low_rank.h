// One low-rank adapter per objective beside a frozen linear map (S = `lora`):
//
//   W(c) = W_ref + sum_i c_i s B_i A_i,   A_i [rank, in], B_i [out, rank]
//
// which is theta_S of CLP's equation 3 exactly, because the coefficients sum
// to 1. The m adapters lie side by side, so a batch with any number of
// distinct steerings costs two thin products and one row-wise scaling:
//
//   y += ((x A^T) * diag(c_1..c_1, c_2..c_2, ..)) (s B)^T
//
// Initialisation as in LoRA (arXiv 2106.09685): A uniform in
// +-sqrt(1 / in) (Kaiming with a = sqrt 5, as PEFT does), B = 0. All
// objectives start from the same A, so at the start swapping two objectives
// changes nothing.
//
// Without gradient the products run on packed panels, so that a row's bits do
// not depend on the other rows (the kernels' guarantee).
//
// Thread safety: one thread (the panels are cached).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ATen/ATen.h>

#include "moft/conditioning/row_steering.h"
#include "moft/kernels/linear_function.h"

namespace moft {

class LowRankAdapters {
 public:
  LowRankAdapters(
      std::int64_t in,
      std::int64_t out,
      std::int64_t objectives,
      std::int64_t rank,
      double scale,
      at::Device device);

  // `stream_row` tells adapters of one model apart.
  void initialise(std::uint64_t seed, std::uint32_t stream_row);

  // x [rows, in] through a frozen matrix and the adapters beside it:
  // [rows, out]; differentiable in x, A and B.
  at::Tensor forward(
      const at::Tensor& x,
      const kernels::FrozenWeight& base,
      const RowSteering& steering) const;
  // sum_i c_i s B_i A_i as a matrix [out, in].
  at::Tensor delta(const Coefficients& coefficients) const;

  std::int64_t rank() const { return rank_; }
  std::int64_t objectives() const { return objectives_; }
  double scale() const { return scale_; }
  // Adapter i's factors as views of the masters: A_i [rank, in] and
  // B_i^T [rank, out].
  at::Tensor down(std::int64_t i) const;
  at::Tensor up(std::int64_t i) const;
  // The masters, leaves of autograd: A [m * rank, in], B^T [m * rank, out].
  at::Tensor& down_all() { return down_; }
  at::Tensor& up_all() { return up_; }
  // To be called after the masters were written through their memory; writes
  // by ATen operations are noticed.
  void masters_changed() { packed_.reset(); }

 private:
  struct Packed {
    kernels::FrozenWeight down;  // A
    kernels::FrozenWeight up;    // s B
    std::int64_t down_version;
    std::int64_t up_version;
  };
  const Packed& packed() const;
  // c_i of each row for each column of x A^T: [rows or 1, m * rank].
  at::Tensor row_scales(const RowSteering& steering, at::Device device) const;

  std::int64_t rank_;
  std::int64_t objectives_;
  double scale_;
  at::Tensor down_;  // A
  at::Tensor up_;    // B^T
  mutable std::optional<Packed> packed_;
};

}  // namespace moft
