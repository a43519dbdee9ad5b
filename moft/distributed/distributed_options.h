// Settings of a recipe for several processes.
#pragma once

#include <chrono>

#include "moft/core/fields.h"

namespace moft {

struct DistributedOptions {
  double timeout = 600.0;

  template <class V>
  void fields(V& v) {
    v("timeout",
      timeout,
      Help{
          "time that a process waits for the others, when they start and in "
          "every exchange; longer than any of them works alone",
          "seconds"},
      between(1, 1e6));
  }

  std::chrono::milliseconds wait() const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * timeout));
  }
};

}  // namespace moft
