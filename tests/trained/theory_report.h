// What the theory of verify/theory.h says about a trained policy on
// ENUM-1: the policy at two corners, mixed in logits over whole answers, held
// against the bounds, beside what the policy itself reaches at that weighting.
//
// Thread safety: pure.
#pragma once

#include <vector>

#include "verify/enum_policy.h"
#include "verify/theory.h"

namespace moft::exact {

struct TheoryRow {
  std::size_t first = 0, second = 0;  // objectives
  std::size_t prompt = 0;
  // lambda of the second objective; gap, coverage constants and bounds.
  double lambda = 0.5;
  MixtureReport mixture;
  // V* - V of the policy conditioned on (1 - lambda, lambda).
  double conditioned_regret = 0.0;
};

// Every pair of objectives, lambda .25 .5 .75, every prompt, at alpha_min.
std::vector<TheoryRow> theory_report(const EnumPolicy& policy);

// What a pair of objectives comes to at one lambda.
struct TheorySummary {
  double conditioned_regret = 0.0;  // means over the prompts
  double gap = 0.0;
  double corrected = 0.0;
  double coverage = 0.0;  // the largest constant, and the largest bounds
  double theorem1 = 0.0;
  double theorem2 = 0.0;
};
TheorySummary summarise(
    const std::vector<TheoryRow>& rows,
    std::size_t first,
    std::size_t second,
    double lambda);

}  // namespace moft::exact
