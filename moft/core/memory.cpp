// Keeps freed memory; says when there is none left.
#include "moft/core/memory.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <fmt/format.h>

#include "moft/core/errors.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace moft {
namespace {

// The bytes that libtorch says it could not get; 0 where it says nothing.
std::uint64_t bytes_wanted(std::string_view message) {
  constexpr std::string_view kBefore = "you tried to allocate ";
  const std::size_t found = message.find(kBefore);
  if (found == std::string_view::npos) return 0;
  message.remove_prefix(found + kBefore.size());
  std::uint64_t bytes = 0;
  std::from_chars(message.data(), message.data() + message.size(), bytes);
  return bytes;
}

}  // namespace

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);  // never
  // A thread's own heap could not hold large tensors.
  mallopt(M_ARENA_MAX, 1);
#endif
}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  const bool ours = dynamic_cast<const CallerError*>(&error) != nullptr ||
                    dynamic_cast<const WorldError*>(&error) != nullptr;
  if (ours) return false;
  std::string message = error.what();
  std::transform(
      message.begin(), message.end(), message.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
      });
  // Messages of the processor, of CUDA and of CUDA's libraries.
  for (const char* words :
       {"can't allocate memory", "out of memory", "alloc_failed"}) {
    if (message.find(words) != std::string::npos) return true;
  }
  return false;
}

std::string out_of_memory_message(
    const std::exception& error, std::string_view cure) {
  const std::uint64_t bytes = bytes_wanted(error.what());
  const std::string wanted = bytes == 0
                                 ? ""
                                 : fmt::format(
                                       " ({:.1f} MB more were asked for)",
                                       static_cast<double>(bytes) / 1e6);
  return fmt::format("not enough memory{}; {}", wanted, cure);
}

}  // namespace moft
