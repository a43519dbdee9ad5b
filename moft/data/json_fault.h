// Why a line is not JSON, in words that name the place and the cure.
//
// Thread safety: pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moft {

// One clause: "not JSON: byte 9 is 'NaN', which JSON does not have; write null
// or a number", "not UTF-8: byte 7 is 0xE9 ..". `byte`: where the parser
// stopped, counted from 1. `path`: the file, for the command that converts it.
std::string describe_json_fault(
    std::string_view line, std::size_t byte, const std::string& path);

}  // namespace moft
