// Steps of tiny trainers, by one process or by several ranks, as texts that
// are equal where every bit is.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "moft/distributed/group.h"

#include "tests/training/support.h"

namespace moft::test {

// A training of few steps.
struct RankCase {
  std::string name;
  TinyRun run;
  bool t5 = false;  // else a tiny Llama
  int steps = 2;
};

// A step of six prompts in `slices` slices, changed by `change`.
RankCase rank_case(
    const std::string& name,
    std::int64_t slices,
    const std::function<void(RankCase&)>& change = nullptr);

// The steps' metrics but for times, and the hashes of all parameters and
// optimizer states after them: a line each. `group`: none, for one process.
std::string trace_of(const RankCase& given, Group* group);

// Runs all cases in one process, then over `ranks` processes of one thread
// each; compares the texts of every rank with those of the one process.
void expect_same_bits(const std::vector<RankCase>& cases, int ranks);

}  // namespace moft::test
