// The table of angles of rotary embeddings.
#pragma once

#include <ATen/ATen.h>

#include "moft/models/llama/rope.h"

namespace moft {

struct RopeTable {
  at::Tensor cosines;  // float32 [positions, head_size / 2]
  at::Tensor sines;
};

// Computed as transformers does: frequencies and angles in float32.
RopeTable make_rope_table(
    const Rope& rope, std::int64_t head_size, std::int64_t positions);

}  // namespace moft
