// What every fuzz target shares. A target defines LLVMFuzzerTestOneInput, so
// it links with fuzz_driver.cpp (any compiler) or with -fsanitize=fuzzer
// (clang). It lets CallerError and WorldError pass: those are refusals. Any
// other exception, any sanitizer report and any input that takes seconds is a
// finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data, std::size_t size);

namespace moft::fuzz {

// A file that lives in memory and holds the bytes; the path is the same for
// every call. For parsers that want a path.
std::filesystem::path memory_file(std::span<const std::uint8_t> bytes);

// A folder of this process, empty at first, that vanishes at exit.
const std::filesystem::path& scratch_folder();
void put(
    const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

inline std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Runs `parse` and swallows refusals.
void refusals_are_fine(
    void (*parse)(std::span<const std::uint8_t>),
    std::span<const std::uint8_t> bytes);

}  // namespace moft::fuzz
