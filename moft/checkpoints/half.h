// Half precision and unaligned reads (private to checkpoints/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace moft {

// The float of each of the 65536 half-precision numbers, exactly.
const float* half_table();

// The mapping promises no alignment, hence memcpy (one load in machine code).
template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace moft
