// Quantised blocks of GGUF as scales, offsets and small whole numbers.
//
// Thread safety: pure.
#pragma once

#include <cstdint>
#include <span>

#include "moft/checkpoints/tensor_source.h"

namespace moft {

// The parts of a quantised view that products read: runs of `run` elements
// with element = scale * number + offset, the product being exact in float.
struct BlockForm {
  int bits = 0;  // of the numbers: 4 (0 to 15) or 8 (signed); 0: no blocks
  int run = 32;  // elements that share a scale
  bool offsets = false;
};
BlockForm block_form(TensorType type);

// Writes those parts, run by run. `offsets` may be empty without offsets.
// REQUIRES block_form(view.type).bits != 0 and spans of the view's runs and
// elements.
void to_blocks(
    const TensorView& view,
    std::span<float> scales,
    std::span<float> offsets,
    std::span<std::int8_t> numbers);

}  // namespace moft
