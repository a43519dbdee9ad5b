// Recipes' objectives with rewards from outside, and answers for them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/rewards/make_objectives.h"

namespace moft::test {

inline std::filesystem::path outside_file(const std::string& name) {
  return std::filesystem::path(MOFT_SOURCE_DIR) / "tests/rewards/outside" /
         name;
}

// The answers in order, as many about each of the examples.
inline RewardBatch answers_to(
    const std::vector<const Example*>& examples,
    std::vector<std::string> completions) {
  RewardBatch batch;
  batch.completions = std::move(completions);
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    batch.examples.push_back(examples[row * examples.size() / batch.rows()]);
    batch.prompts.push_back("ask:");
    batch.token_counts.push_back(3);
    batch.completion_ids.push_back({1, 2, 3});
    batch.raw_completions.push_back(batch.completions[row] + "</s>");
  }
  return batch;
}

struct OneObjective {
  Objectives objectives;
  template <class V>
  void fields(V& v) {
    v("objectives", objectives, Help{"as in a recipe"});
  }
};

// From the YAML of a recipe's objectives.
inline ObjectiveSet objectives_from(const std::string& yaml) {
  OneObjective read;
  read_options(read, "objectives:\n" + yaml, "recipe.yaml");
  check_options(read, "recipe.yaml");
  return make_objectives(read.objectives, {});
}

inline std::vector<double> scores_of(
    const ObjectiveSet& objectives,
    const RewardBatch& batch,
    std::size_t objective = 0) {
  return column_of(objectives.score(batch).raw, objective);
}

// What stops a run that scores `batch`; empty: nothing does.
inline std::string fault_of(
    const ObjectiveSet& objectives, const RewardBatch& batch) {
  try {
    objectives.score(batch);
  } catch (const WorldError& error) {
    return error.what();
  }
  return "";
}

}  // namespace moft::test
