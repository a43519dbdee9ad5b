// How a rank lays out its parts of a sum for those who add them.
//
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace moft {

// sent[rank, part, :] = parts[part][begin + rank chunk ..), of `chunk` numbers
// each; what is past the end of a part is left alone.
template <typename T>
void lay_out(
    std::span<const std::span<T>> parts,
    std::size_t begin,
    std::size_t chunk,
    std::size_t ranks,
    T* sent) {
  for (std::size_t rank = 0; rank < ranks; ++rank, begin += chunk) {
    for (const std::span<T> part : parts) {
      const std::size_t count =
          begin < part.size() ? std::min(chunk, part.size() - begin) : 0;
      if (count > 0) std::memcpy(sent, part.data() + begin, count * sizeof(T));
      sent += chunk;
    }
  }
}

}  // namespace moft
