// The encoder over packed sequences, as decoding and scoring both run it.
//
// On a CPU every sequence attends alone, so that neither padding nor
// neighbours can touch its bits; elsewhere all attend at once, padded.
// Differentiable when gradient mode is on.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "moft/models/t5/model.h"

namespace moft {

// Sequences packed one after the other, and who multiplies what.
struct T5Sequences {
  std::vector<std::int64_t> lengths;
  RowSteering steering;  // one row per sequence, or uniform
};

// `sequences.steering` for every packed token.
RowSteering token_steering(const T5Model& model, const T5Sequences& sequences);

// Hidden states [tokens, width] entering block `begin` -> those leaving block
// `end` - 1.
at::Tensor encode_blocks(
    const T5Model& model,
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const T5Sequences& sequences);

}  // namespace moft
