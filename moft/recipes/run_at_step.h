// A training run as it was after one of its steps: RUN@STEP, such as
// runs/relevance@18.
//
// Its copies come from the checkpoint of that step, everything else from the
// run's policy directory. Under a constant learning rate that is the policy
// that a run of STEP steps would have published, bit for bit.
//
// Errors: CallerError for a run without that checkpoint, with the steps that it
// keeps, and those of checkpoint.h and policy_directory.h.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "moft/generation/policy_directory.h"
#include "moft/recipes/recipe.h"

namespace moft {

struct RunAtStep {
  std::filesystem::path directory;   // the run's
  std::optional<std::int64_t> step;  // none: as it was published

  std::filesystem::path policy() const { return directory / "policy"; }
  // Where `moft evaluate` writes: "report", or "report-step-18".
  std::filesystem::path report() const;
};

// A folder whose name ends so is meant as it is.
RunAtStep parse_run(const std::string& text);

// Where the copies of run.step lie: a checkpoint's folder, or the policy's own
// where it was published after that step.
std::filesystem::path copies_at(const RunAtStep& run);

// The policy with the copies of run.step; `answers_per_step` of its training,
// for what the policy says of itself.
std::unique_ptr<SteeredPolicy> load_policy_at(
    const RunAtStep& run,
    std::int64_t answers_per_step,
    const LoadOptions& options = {});

// A sentence for a step at which the learning rate had not ended: a run that
// stops there is another one.
std::optional<std::string> remark_on_step(
    const RunAtStep& run, const Recipe& recipe);

}  // namespace moft
