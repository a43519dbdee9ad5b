// How this process holds its memory, and how it says that there is none left.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace moft {

// Freed memory stays with the process, and is used again: a step or a batch
// asks for the same large tensors each time, and fresh pages from the system
// have to be cleared first (a tenth of T5-small's step; benchmarks/workloads).
// Price: what was needed once is held to the end, and all threads share one
// heap. Call before threads start. Nothing happens where the C library is not
// glibc.
void keep_freed_memory();

// Whether an exception says that memory ran out: std::bad_alloc, or what
// libtorch's allocators throw for the processor and for other devices.
bool is_out_of_memory(const std::exception& error);

// "not enough memory; <cure>", with the size that was asked for where the
// exception tells it.
std::string out_of_memory_message(
    const std::exception& error, std::string_view cure);

}  // namespace moft
