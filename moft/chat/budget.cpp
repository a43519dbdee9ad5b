// Limits counted down.
#include "moft/chat/budget.h"

namespace moft::jinja {

void Budget::steps(std::int64_t count) {
  steps_ += count;
  if (steps_ > limits_.steps) {
    fault(
        "the template takes over {} steps; it is not run to its end",
        limits_.steps);
  }
}

void Budget::copies(std::size_t bytes) {
  steps(static_cast<std::int64_t>(bytes / 64));
}

void Budget::will_need(double bytes) const {
  if (bytes > static_cast<double>(limits_.memory - held_)) {
    fault("the template's values need over {} bytes", limits_.memory);
  }
}

void Budget::nests(int levels) const {
  if (levels > limits_.depth)
    fault("a value of the template is nested over {} levels", limits_.depth);
}

void Budget::hold(std::size_t bytes) {
  will_need(static_cast<double>(bytes));
  held_ += bytes;
}

void Budget::enter() {
  if (depth_ >= limits_.depth)
    fault("the template is nested over {} levels as it runs", limits_.depth);
  ++depth_;
}

}  // namespace moft::jinja
