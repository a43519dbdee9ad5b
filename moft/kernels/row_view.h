// A tensor seen as rows of contiguous float32 on the CPU: what the kernels'
// fast paths read. Private to the part.
#pragma once

#include <cstdint>
#include <optional>

#include <ATen/ATen.h>

namespace moft::kernels {

inline bool is_cpu_float(const at::Tensor& t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat;
}

// True when t is CPU float32 with a contiguous last dimension.
inline bool has_float_rows(const at::Tensor& t) {
  return is_cpu_float(t) && t.dim() >= 1 &&
         (t.stride(-1) == 1 || t.size(-1) <= 1);
}

// t when its last dimension is contiguous, else a contiguous copy.
inline at::Tensor with_rows(const at::Tensor& t) {
  return has_float_rows(t) ? t : t.contiguous();
}

// Row r of a tensor of up to three dimensions, addressed by the flattened
// index over all but the last dimension.
template <typename Number>
class RowView {
 public:
  RowView(Number* data, const at::Tensor& t)
      : data_(data),
        inner_(t.dim() >= 3 ? t.size(1) : 1),
        outer_stride_(t.dim() >= 2 ? t.stride(0) : 0),
        inner_stride_(t.dim() >= 3 ? t.stride(1) : 0) {}

  Number* operator[](std::int64_t row) const {
    return data_ + (row / inner_) * outer_stride_ +
           (row % inner_) * inner_stride_;
  }

 private:
  Number* data_;
  std::int64_t inner_;
  std::int64_t outer_stride_;
  std::int64_t inner_stride_;
};

inline RowView<const float> read_rows(const at::Tensor& t) {
  return {t.const_data_ptr<float>(), t};
}

inline RowView<float> write_rows(const at::Tensor& t) {
  return {t.mutable_data_ptr<float>(), t};
}

inline std::int64_t row_count(const at::Tensor& t) {
  return t.size(-1) == 0 ? 0 : t.numel() / t.size(-1);
}

}  // namespace moft::kernels
