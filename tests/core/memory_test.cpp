#include "moft/core/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// Number of fresh pages that writing to `bytes` bytes took.
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

constexpr const char* kLibtorchsWords =
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't "
    "allocate memory: you tried to allocate 2500000000 bytes. Error code 12 "
    "(Cannot allocate memory)";

TEST(Memory, ExceptionsThatMeanOutOfMemoryAreKnown) {
  EXPECT_TRUE(is_out_of_memory(std::bad_alloc()));
  for (const char* words :
       {kLibtorchsWords,
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"}) {
    EXPECT_TRUE(is_out_of_memory(std::runtime_error(words))) << words;
  }
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("shapes do not fit")));
  EXPECT_FALSE(is_out_of_memory(CallerError("x.yaml: out of memory: no key")));
}

TEST(Memory, TheMessageHasTheSizeAndTheCure) {
  EXPECT_EQ(
      out_of_memory_message(std::runtime_error(kLibtorchsWords), "lower it"),
      "not enough memory (2500.0 MB more were asked for); lower it");
  EXPECT_EQ(
      out_of_memory_message(std::bad_alloc(), "lower it"),
      "not enough memory; lower it");
}

}  // namespace
}  // namespace moft
