// Float numbers as the bytes of narrower types, as llama.cpp rounds them.
//
//   F16, BF16  to nearest, ties to even
//   Q8_0       blocks of 32: d = largest magnitude / 127 (as F16), and x / d
//              rounded to nearest, ties away from zero
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "moft/checkpoints/tensor_type.h"

namespace moft {

// Replaces the content of `bytes`. CallerError, naming `name`, for a number
// that is not finite or too large for the type. REQUIRES F32, F16, BF16 or
// Q8_0, of that a whole number of blocks.
void encode_floats(
    std::span<const float> numbers,
    TensorType type,
    const std::string& name,
    std::vector<std::byte>& bytes);

}  // namespace moft
