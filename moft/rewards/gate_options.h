// The gate of an objective: a factor on its reward that another objective's
// reward opens.
#pragma once

#include <string>

#include "moft/core/fields.h"

namespace moft {

// 0 where the raw reward of `objective` is at or below zero_at, 1 at or above
// full_at, linear between.
struct GateOptions {
  std::string objective;
  double zero_at = 0.0;
  double full_at = 1.0;

  template <class V>
  void fields(V& v) {
    v("objective",
      objective,
      Help{"the objective whose raw reward opens the gate; it has no gate "
           "itself"},
      Required{});
    v("zero_at", zero_at, Help{"raw reward at or below which the gate is 0"});
    v("full_at", full_at, Help{"raw reward at or above which the gate is 1"});
  }
  // Throws CallerError unless zero_at < full_at.
  void check(const std::string& path) const;
};

}  // namespace moft
