// What goes wrong inside a template: caught where the template's name is
// known and thrown on as CallerError "{name}: line 12: {what}".
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace moft::jinja {

class Fault : public std::runtime_error {
 public:
  // Line 0: that of the expression being evaluated.
  explicit Fault(const std::string& what, int line = 0)
      : std::runtime_error(what), line_(line) {}

  int line() const { return line_; }

 private:
  int line_;
};

template <typename... Args>
[[noreturn]] void fault(fmt::format_string<Args...> message, Args&&... args) {
  throw Fault(fmt::format(message, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fault_at(
    int line, fmt::format_string<Args...> message, Args&&... args) {
  throw Fault(fmt::format(message, std::forward<Args>(args)...), line);
}

}  // namespace moft::jinja
