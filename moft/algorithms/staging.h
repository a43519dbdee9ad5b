// Tensors on their way between ranks. A group exchanges numbers in the CPU's
// memory, one after the other; those of a tensor that is elsewhere, on a GPU,
// travel in a buffer there, which has the same bits.
//
// Thread safety: plain values that share tensors.
#pragma once

#include <ATen/ATen.h>

namespace moft {

class Staged {
 public:
  // The numbers of a tensor of float32, to be sent.
  static Staged to_send(const at::Tensor& tensor);
  // Room for those that `tensor` will receive.
  static Staged to_receive(const at::Tensor& tensor);

  // Plain (shards.h), of the tensor's shape: the tensor's own memory where it
  // is plain, else the buffer.
  const at::Tensor& numbers() const { return numbers_; }
  // Brings what was received from the buffer to the tensor.
  void put_back() const;

 private:
  Staged(at::Tensor numbers, at::Tensor receiver);

  at::Tensor numbers_;
  at::Tensor receiver_;  // undefined: nothing has to be brought back
};

}  // namespace moft
