// What a file probably is that is not the weights file it should be.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace moft {

// The end of an error message: "; it looks like .., do .." for content that is
// often found under a wrong name, "" for anything else.
std::string_view guess_file_kind(std::span<const std::byte> bytes);

}  // namespace moft
