// Several methods on the same prompts: figures, paired differences, ledger.
//
// A method is one run or, one per training seed, several. The policy's method
// is compared with every other: seed s with seed s, the same prompts, at the
// weightings that all have, each side's KL to its own reference and weighed by
// the policy's alpha. Differences are policy minus rival.
//
// The ledger: answers scored in training, of a soup those of all its runs.
// Where they differ by more than kEqualLedger, or are not known, the rival is
// a reference: shown, and no verdict rests on it.
//
// Thread safety: works on its arguments only.
#pragma once

#include <string>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

// The largest difference of two ledgers that counts as equal, as a share of
// the larger one.
inline constexpr double kEqualLedger = 0.02;

struct MethodRuns {
  std::string name;
  std::vector<std::string> runs;  // in the order of their training seeds
};

struct CompareOptions {
  std::string policy = "policy";  // the name of the report's own run
  // Runs that are in none are methods of their own.
  std::vector<MethodRuns> methods = {};
  std::string bank = {};  // the method with one policy for each weighting
};

// CallerError when a method names a run that is neither the policy nor one of
// the baselines, or is in another method, or has no runs; when two methods have
// one name; or when the bank is not a method.
void check_methods(
    const std::vector<std::string>& baselines, const CompareOptions& options);

// Fills report.comparison from the completed points of the report and its
// baselines. Without baselines it stays empty. CallerError as above.
void compare_methods(Report& report, const CompareOptions& options = {});

// The baseline's point that belongs to `point`: the same weighting, at the
// nearest alpha. Null when there is none.
const FrontPoint* rival_of(
    const FrontPoint& point, const std::vector<FrontPoint>& rivals);

// Whether the run of this name is of a method that is a reference only. False
// without a comparison.
bool is_reference_only(const Report& report, const std::string& run);

}  // namespace moft
