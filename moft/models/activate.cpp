// The functions between two linear maps.
#include "moft/models/activate.h"

#include <ATen/core/grad_mode.h>

namespace moft {

at::Tensor activate(at::Tensor x, Activation activation) {
  const bool in_place = !at::GradMode::is_enabled();
  switch (activation) {
    case Activation::kGeluTanh:
      return in_place ? at::gelu_(x, "tanh") : at::gelu(x, "tanh");
    case Activation::kRelu:
      return in_place ? x.relu_() : x.relu();
    case Activation::kTanh:
      return in_place ? x.tanh_() : x.tanh();
    case Activation::kGelu:
      break;
  }
  return in_place ? at::gelu_(x) : at::gelu(x);
}

}  // namespace moft
