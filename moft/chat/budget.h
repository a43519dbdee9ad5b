// The limits of one run, counted down: every operation of the interpreter pays
// here before it works. And Fault, what goes wrong inside a template.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "moft/chat/render_limits.h"

namespace moft::jinja {

// Caught where the template's name is known and thrown on as CallerError
// "{name}: line 12: {what}".
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

class Budget {
 public:
  explicit Budget(const RenderLimits& limits) : limits_(limits) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Each throws Fault when its limit is passed.
  void step() { steps(1); }
  void steps(std::int64_t count);
  // Work on a number of bytes.
  void copies(std::size_t bytes);
  // REQUIRED before work whose result may be far larger than its operands.
  void will_need(double bytes) const;
  // Levels of nesting inside one value.
  void nests(int levels) const;

 private:
  friend class Holding;
  friend class Level;

  void hold(std::size_t bytes);
  void enter();

  const RenderLimits limits_;
  std::int64_t steps_ = 0;
  std::size_t held_ = 0;
  int depth_ = 0;
};

// Memory that a value holds, returned when the value goes. Without a budget
// (a template's constants) nothing is counted.
class Holding {
 public:
  Holding() = default;
  Holding(Budget& budget, std::size_t bytes) : budget_(&budget), bytes_(bytes) {
    budget.hold(bytes);
  }
  ~Holding() {
    if (budget_ != nullptr) budget_->held_ -= bytes_;
  }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

  // REQUIRES a budget.
  void grow(std::size_t bytes) {
    budget_->hold(bytes);
    bytes_ += bytes;
  }

 private:
  Budget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

// One level of nested evaluation.
class Level {
 public:
  explicit Level(Budget& budget) : budget_(budget) { budget.enter(); }
  ~Level() { --budget_.depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  Budget& budget_;
};

}  // namespace moft::jinja
