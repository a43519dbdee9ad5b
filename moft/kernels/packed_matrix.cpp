#include "moft/kernels/packed_matrix.h"

#include "moft/core/errors.h"

namespace moft::kernels {
namespace {

at::ScalarType scalar_type(Storage storage) {
  return storage == Storage::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

}  // namespace

PackedMatrix::PackedMatrix(const at::Tensor& weight, Storage storage)
    : storage_(storage) {
  if (weight.dim() != 2 || weight.numel() == 0) {
    throw_caller_error(
        "PackedMatrix: weight has {} dimensions and {} elements; give "
        "[out, in], both at least 1",
        weight.dim(),
        weight.numel());
  }
  out_ = weight.size(0);
  in_ = weight.size(1);
  data_ = weight.detach().to(scalar_type(storage)).contiguous().clone();
}

std::int64_t PackedMatrix::bytes() const {
  return data_.nbytes();
}

at::Tensor PackedMatrix::unpack() const {
  return data_.to(at::kFloat);
}

at::Tensor multiply(
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias) {
  at::NoGradGuard no_grad;
  return at::linear(x, weight.data().to(x.scalar_type()), bias);
}

void multiply_into(
    at::Tensor& out,
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias) {
  out.copy_(multiply(x, weight, bias));
}

}  // namespace moft::kernels
