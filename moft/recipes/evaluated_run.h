// A finished run as `moft evaluate` sees it: what its policy is, by the
// policy's own moft.json, and the recipe it came from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/evaluation/front.h"
#include "moft/generation/policy_kinds.h"
#include "moft/recipes/data_parts.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/run_at_step.h"

namespace moft {

struct EvaluatedRun {
  std::string name;  // as it was given
  std::filesystem::path directory;
  // RUN@STEP: after which step, if not as it was published.
  std::optional<std::int64_t> step;
  Recipe recipe;
  PolicyInfo info;
  PolicyFacts facts;
  bool lent = false;  // the recipe lends its data and rewards; the run has none
  std::vector<std::string> remarks;  // for the report

  std::filesystem::path policy() const { return directory / "policy"; }
  RunAtStep at_step() const { return {directory, step}; }
};

// Steps and answers are those that moft.json records. Policies of older
// versions record none: then those of the model card, else the smaller of the
// recipe's and the log's, with a remark. A soup of adapters has no recipe and
// takes `lent`'s. `path` may name a step (run_at_step.h). CallerError when it
// is not a finished run or its policy has other objectives than the recipe.
EvaluatedRun open_evaluated_run(
    const std::string& path, const Recipe* lent = nullptr);

// Its policy, with the copies of its step.
std::unique_ptr<Policy> open_policy(
    const EvaluatedRun& run, const PolicyOpening& opening);

// The recipe of a file or of the program, its paths resolved.
Recipe open_recipe(const std::string& path_or_name);

// CallerError unless both runs have the same objectives (rewards, ranges and
// encoders) and the same examples in this part of their data.
void check_comparable_runs(
    const EvaluatedRun& run, const EvaluatedRun& other, Split split);

// Refuses or remarks on examples of `split` that the run trained on or, for
// final ones, was chosen by. Returns how many of `examples`, which are
// answered, are in the run's training data; the remark goes to `remarks`.
std::size_t check_unseen(
    const EvaluatedRun& run,
    const std::vector<Example>& examples,
    const PromptMaker& prompt,
    Split split,
    std::vector<std::string>& remarks);

// Whether turning alpha is a knob of the run's training: it was drawn, or may
// be set lower than the one that was trained at.
bool has_alpha_knob(const EvaluatedRun& run);

}  // namespace moft
