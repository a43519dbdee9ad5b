// The bytes of tensors on the CPU, counted where they are allocated: what a
// computation holds at its peak, whatever the allocator keeps of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <c10/core/CPUAllocator.h>

namespace moft::test {

// Counts from its construction to the end of the program; one at a time.
// Thread safety: any number of threads allocate.
class CountedMemory : public c10::Allocator {
 public:
  // The one of this program, from now on libtorch's.
  static CountedMemory& get() {
    static CountedMemory* const memory = [] {
      auto* made = new CountedMemory();  // tensors may outlive it
      c10::SetCPUAllocator(made, /*priority=*/1);
      return made;
    }();
    return *memory;
  }

  // From here on growth() is the most that is held beside what is now.
  void begin() {
    start_ = held_.load();
    peak_ = start_;
  }
  std::int64_t growth() const { return peak_ - start_; }

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::kCPU)};
    void* base = nullptr;
    if (posix_memalign(&base, kHead, kHead + bytes) != 0)
      throw std::bad_alloc();
    const auto count = static_cast<std::int64_t>(bytes);
    std::memcpy(base, &count, sizeof(count));
    note(count);
    void* data = static_cast<char*>(base) + kHead;
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }

 private:
  static constexpr std::size_t kHead = 64;  // holds the size

  CountedMemory() = default;

  static void release(void* data) {
    if (data == nullptr) return;
    void* base = static_cast<char*>(data) - kHead;
    std::int64_t count = 0;
    std::memcpy(&count, base, sizeof(count));
    held_ -= count;
    std::free(base);
  }
  static void note(std::int64_t count) {
    const std::int64_t now = held_ += count;
    std::int64_t most = peak_.load();
    while (now > most && !peak_.compare_exchange_weak(most, now)) {
    }
  }

  inline static std::atomic<std::int64_t> held_ = 0;
  inline static std::atomic<std::int64_t> peak_ = 0;
  std::int64_t start_ = 0;
};

}  // namespace moft::test
