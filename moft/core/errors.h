// The two kinds of exception in moft.
//
// CallerError: somebody gave us something wrong (a flag, a recipe, a file, a
//   request). The command line exits with 2, a server answers 4xx.
// WorldError: the input was fine but the world was not (a full disk, a
//   non-finite reward, a missing device). Exit 1, or 5xx.
//
// A message is one sentence that names the place, the value and the cure:
//   "recipe.yaml: training.steps is -3; give a whole number of at least 1"
//
// Thread safety: constructing and throwing is safe from any thread.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace moft {

class CallerError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class WorldError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void throw_caller_error(
    fmt::format_string<Args...> message, Args&&... args) {
  throw CallerError(fmt::format(message, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void throw_world_error(
    fmt::format_string<Args...> message, Args&&... args) {
  throw WorldError(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace moft
