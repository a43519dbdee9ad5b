// Buffers on the CPU for what ranks send and receive.
#include "moft/algorithms/staging.h"

#include <utility>

#include "moft/algorithms/shards.h"

namespace moft {
namespace {

void check_type(const at::Tensor& tensor) {
  TORCH_CHECK(
      tensor.scalar_type() == at::kFloat, "[staging] ranks exchange float32");
}

}  // namespace

Staged::Staged(at::Tensor numbers, at::Tensor receiver)
    : numbers_(std::move(numbers)), receiver_(std::move(receiver)) {}

Staged Staged::to_send(const at::Tensor& tensor) {
  check_type(tensor);
  return {tensor.to(at::kCPU).contiguous(), at::Tensor()};
}

Staged Staged::to_receive(const at::Tensor& tensor) {
  check_type(tensor);
  if (is_plain(tensor)) return {tensor, at::Tensor()};
  return {at::empty(tensor.sizes(), at::TensorOptions(at::kFloat)), tensor};
}

void Staged::put_back() const {
  if (!receiver_.defined()) return;
  at::Tensor receiver = receiver_;
  receiver.copy_(numbers_);
}

}  // namespace moft
