#include "moft/core/memory.h"

#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace moft {

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // never
  // A thread's own heap could not hold large tensors.
  mallopt(M_ARENA_MAX, 1);
#endif
}

}  // namespace moft
