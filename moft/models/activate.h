// The functions between two linear maps.
//
// Thread safety: pure functions.
#pragma once

#include <ATen/ATen.h>

#include "moft/models/activation.h"

namespace moft {

// Overwrites x where nothing is differentiated.
at::Tensor activate(at::Tensor x, Activation activation);

}  // namespace moft
