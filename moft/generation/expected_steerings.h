// A policy expects this many steerings while the object lives, and one again
// when it ends, also by an exception.
//
// Thread safety: as the policy.
#pragma once

#include <cstdint>

#include "moft/generation/policy.h"

namespace moft {

class ExpectedSteerings {
 public:
  // REQUIRES policy to outlive this.
  ExpectedSteerings(Policy& policy, std::int64_t distinct) : policy_(policy) {
    policy_.expect_steerings(distinct);
  }
  ~ExpectedSteerings() { policy_.expect_steerings(1); }
  ExpectedSteerings(const ExpectedSteerings&) = delete;
  ExpectedSteerings& operator=(const ExpectedSteerings&) = delete;

 private:
  Policy& policy_;
};

}  // namespace moft
