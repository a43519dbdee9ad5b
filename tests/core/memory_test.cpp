#include "moft/core/memory.h"

#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace moft {
namespace {

// Fresh pages that writing to so many bytes took.
long faults_of_writing(std::size_t bytes) {
  rusage before{}, after{};
  void* memory = std::malloc(bytes);
  getrusage(RUSAGE_SELF, &before);
  std::memset(memory, 1, bytes);
  getrusage(RUSAGE_SELF, &after);
  std::free(memory);
  return after.ru_minflt - before.ru_minflt;
}

TEST(Memory, FreedMemoryIsUsedAgain) {
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "not the C library's own malloc";
#else
  constexpr std::size_t kBytes = std::size_t{80} << 20;  // 20,480 pages
  keep_freed_memory();
  (void)faults_of_writing(kBytes);
  EXPECT_LT(faults_of_writing(kBytes), 100);
  EXPECT_LT(faults_of_writing(kBytes / 2), 100);
#endif
}

}  // namespace
}  // namespace moft
