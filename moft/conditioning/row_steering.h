// Which coefficients each row of a batch carries.
//
// A row is whatever the caller multiplies: a token of a packed batch or a
// sequence of a decode batch. Rows that carry equal coefficients share one
// entry of `distinct()`.
//
// Thread safety: belongs to one thread (derived tensors are cached, and copies
// share them).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "moft/weightings/steering.h"

namespace moft {

class RowSteering {
 public:
  // Every row under the same coefficients.
  static RowSteering uniform(Coefficients coefficients);
  // Row r under distinct[index_of_row[r]]; equal entries are merged.
  static RowSteering per_row(
      const std::vector<Coefficients>& distinct,
      const std::vector<std::int64_t>& index_of_row,
      at::Device device);

  bool is_uniform() const { return distinct_.size() == 1; }
  bool is_reference() const;
  // Some rows, but not all, are under the frozen reference.
  bool some_read_the_reference() const;
  const Coefficients& uniform_coefficients() const { return distinct_.at(0); }
  const std::vector<Coefficients>& distinct() const { return distinct_; }
  // int64 [rows], on the batch's device; undefined when uniform.
  const at::Tensor& index() const { return index_; }

  // Steering of the rows `rows` (int64 [n]) of this batch, in that order.
  RowSteering select(const at::Tensor& rows) const;

  // c_0, .., c_m per row: float [rows, m+1], or [1, m+1] when uniform.
  const at::Tensor& coefficients(at::Device device) const;
  // c_0, .., c_m of distinct(): double [distinct, m+1].
  const at::Tensor& table(at::Device device) const;
  // c_1, .., c_m, each repeated `repeats` times: [rows or 1, m * repeats].
  const at::Tensor& copy_coefficients(
      std::int64_t repeats, at::Device device) const;
  // Rows under distinct()[k]; rows under the frozen reference and the others:
  // int64 [n] each, rising. REQUIRES !is_uniform().
  const at::Tensor& rows_of(std::size_t k) const;
  const at::Tensor& rows_of_reference(bool reference) const;

 private:
  struct Derived {
    at::Tensor coefficients;
    at::Tensor table;
    std::map<std::int64_t, at::Tensor> repeated;
    std::vector<at::Tensor> rows;
    at::Tensor rows_of_reference[2];
  };

  std::vector<Coefficients> distinct_;
  at::Tensor index_;
  std::shared_ptr<Derived> derived_ = std::make_shared<Derived>();
};

}  // namespace moft
