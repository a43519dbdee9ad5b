// A device that is not the CPU, for tests where there is none: memory of the
// CPU's that tensors reach as a device of their own. Operators compute on the
// CPU, by copies there and back; memory itself is handled there.
//
// Thread safety: as ATen's.
#pragma once

#include <ATen/ATen.h>

namespace moft::test {

// The device, which libtorch knows from the first call on.
at::Device other_device();

}  // namespace moft::test
