// Sums over the tokens of packed rows.
#include "moft/algorithms/token_sums.h"

#include "moft/core/errors.h"

namespace moft {
namespace {

// Lengths on the CPU as int64, each in [0, limit].
at::Tensor checked_lengths(const at::Tensor& lengths, std::int64_t limit) {
  if (lengths.dim() != 1 || lengths.scalar_type() != at::kLong) {
    throw_caller_error(
        "lengths have {} dimensions; give one int64 per row", lengths.dim());
  }
  const at::Tensor host = lengths.to(at::kCPU).contiguous();
  const auto* values = host.const_data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < host.numel(); ++row) {
    if (values[row] < 0 || values[row] > limit) {
      throw_caller_error(
          "row {} has length {}; give a number from 0 to {}",
          row,
          values[row],
          limit);
    }
  }
  return host;
}

// Lengths of packed values, on the CPU, checked against their number.
at::Tensor packed_lengths(const at::Tensor& values, const at::Tensor& lengths) {
  if (values.dim() != 1) {
    throw_caller_error(
        "packed values have {} dimensions; give one", values.dim());
  }
  at::Tensor host = checked_lengths(lengths, values.numel());
  const auto total = host.sum().item<std::int64_t>();
  if (total != values.numel()) {
    throw_caller_error(
        "lengths sum to {} but there are {} packed values; give equal numbers",
        total,
        values.numel());
  }
  return host;
}

}  // namespace

at::Tensor sum_packed(const at::Tensor& values, const at::Tensor& lengths) {
  const at::Tensor host = packed_lengths(values, lengths);
  const at::Tensor row_of_value =
      at::repeat_interleave(host).to(values.device());
  const at::Tensor wide = values.to(at::kDouble);
  return at::zeros({host.numel()}, wide.options())
      .index_add(0, row_of_value, wide);
}

at::Tensor prefix_sums_packed(
    const at::Tensor& values, const at::Tensor& lengths) {
  const at::Tensor host = packed_lengths(values, lengths);
  const at::Tensor own = values.detach().to(at::kCPU, at::kDouble).contiguous();
  at::Tensor sums = at::empty_like(own);
  const double* from = own.const_data_ptr<double>();
  double* to = sums.mutable_data_ptr<double>();
  const auto* counts = host.const_data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < host.numel(); ++row) {
    double sum = 0.0;
    for (std::int64_t t = 0; t < counts[row]; ++t) {
      *to++ = sum;
      sum += *from++;
    }
  }
  return sums.to(values.device());
}

}  // namespace moft
