// The last words of a command whose product is on the disk: nobody has to
// listen, so a closed pipe or terminal is not an error.
//
// Thread safety: one thread.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

namespace moft {

// To standard output, at once.
void write_result(const std::string& text);

template <typename... Args>
void print_result(fmt::format_string<Args...> text, Args&&... args) {
  write_result(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace moft
