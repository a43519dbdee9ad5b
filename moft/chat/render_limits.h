// How much one run of a chat template may cost. Templates come from strangers:
// one that loops for ever or doubles a text thirty times ends with a
// CallerError instead.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moft {

struct RenderLimits {
  // Expressions and statements evaluated, loop turns, and one more per 64
  // bytes copied.
  std::int64_t steps = 20'000'000;
  // Bytes of all texts and lists alive at one time.
  std::size_t memory = std::size_t{256} << 20;
  // Nested statements, expressions, macro calls and lists.
  int depth = 600;
};

}  // namespace moft
