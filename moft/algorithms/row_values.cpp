// Tensors of rows to plain vectors and back.
#include "moft/algorithms/row_values.h"

#include <algorithm>
#include <cmath>

#include "moft/algorithms/advantages.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"

namespace moft {

std::vector<double> row_values(const at::Tensor& values, const char* what) {
  if (!values.defined() || values.dim() != 1 || values.numel() == 0) {
    throw_caller_error("{} are not one number per row; give shape [B]", what);
  }
  return kernels::to_doubles(values);
}

at::Tensor row_tensor(
    const std::vector<double>& values, const at::Tensor& like) {
  return kernels::double_tensor(values, like.device());
}

std::map<std::int64_t, std::vector<std::size_t>> rows_by_group(
    const at::Tensor& groups, std::size_t rows) {
  if (!groups.defined() || groups.dim() != 1 ||
      groups.scalar_type() != at::kLong ||
      static_cast<std::size_t>(groups.numel()) != rows) {
    throw_caller_error(
        "group labels do not fit {} rows; give one int64 per row", rows);
  }
  const at::Tensor host = groups.to(at::kCPU).contiguous();
  const auto* labels = host.const_data_ptr<std::int64_t>();
  std::map<std::int64_t, std::vector<std::size_t>> found;
  for (std::size_t row = 0; row < rows; ++row) {
    found[labels[row]].push_back(row);
  }
  return found;
}

bool rewards_tie(
    const std::vector<double>& values, const std::vector<std::size_t>& rows) {
  double low = values[rows[0]];
  double high = low;
  for (const std::size_t row : rows) {
    low = std::min(low, values[row]);
    high = std::max(high, values[row]);
  }
  const double largest = std::max(std::abs(low), std::abs(high));
  return high - low <= kTieTolerance * largest;
}

}  // namespace moft
