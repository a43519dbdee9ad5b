// Steps of tiny trainers, by one process or by several ranks, as texts that
// are equal where every bit is.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "moft/distributed/group.h"
#include "moft/training/run_setup.h"

#include "tests/training/support.h"

namespace moft::test {

// A training of few steps.
struct RankCase {
  std::string name;
  TinyRun run;
  bool t5 = false;    // else a tiny Llama
  bool wide = false;  // with matrices that ranks cut
  int steps = 2;
  // Metrics that need not be equal: on another device than the CPU the bits of
  // a row's log-probabilities may depend on the other rows that are sampled.
  std::set<std::string> left_out = {};
};

// A step of six prompts in `slices` slices, changed by `change`.
RankCase rank_case(
    const std::string& name,
    std::int64_t slices,
    const std::function<void(RankCase&)>& change = nullptr);

// The steps' metrics but for times, those of `evaluate` (or null) after each,
// and the hashes of all parameters and optimizer states in the end: a line
// each.
std::string trace_of(
    Trainer& trainer,
    int steps,
    Group* group,
    const OnEvaluate& evaluate = nullptr);

// That of a case.
std::string trace_of(const RankCase& given, Group* group);

// What makes such a text, by name. The group is null for one process.
using Traces = std::map<std::string, std::function<std::string(Group*)>>;

// Makes all texts in one process, then over `ranks` processes of one thread
// each; compares those of every rank with those of the one process.
void expect_same_texts(const Traces& traces, int ranks);
// The same of trainings.
void expect_same_bits(const std::vector<RankCase>& cases, int ranks);

}  // namespace moft::test
