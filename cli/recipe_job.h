// A recipe of any kind on its way to a run, in the order in which
// run_recipe.cpp calls it. A new kind derives from this class.
//
// Errors: CallerError for what its user can change.
// Thread safety: one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "moft/core/errors.h"
#include "moft/distributed/group.h"
#include "moft/recipes/findings.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/run_inputs.h"
#include "moft/training/publisher.h"
#include "moft/training/run_setup.h"
#include "moft/training/trainer.h"

#include "cli/recipe_kind.h"
#include "cli/run_output.h"

namespace moft {

struct CheckedRecipe {
  Findings findings;
  std::string counts;  // what was found good: "12 and 4 pairs"
};

// Belongs to its job.
struct PreparedRun {
  Trainer* trainer = nullptr;
  Publisher* publisher = nullptr;
  OnEvaluate on_evaluate;  // or null
  RunInputs inputs;
};

// Meets the other ranks, once it is known what the run reads.
using JoinGroup = std::function<Group*(const RunInputs&)>;

class RecipeJob {
 public:
  virtual ~RecipeJob() = default;

  virtual RecipeHeader& header() = 0;
  // The effective recipe as YAML; what epochs stand for is left out.
  virtual std::string text() const = 0;

  // Finds every path that is read, from the current directory or the recipe's;
  // refuses trained policies where a model is wanted.
  virtual void resolve_paths(const RecipeSource& source) = 0;
  virtual void make_paths_absolute() = 0;
  // The paths that the run reads, by their keys.
  virtual RunPlan plan() = 0;

  // Several ranks will make the run together: fits the recipe to their number.
  // CallerError for a kind that runs in one process.
  virtual void use_ranks(int ranks) = 0;

  // Looks at everything that the run needs, and keeps what prepare() can use.
  // Epochs become steps.
  virtual CheckedRecipe check(const PreflightOptions& options) = 0;
  // CallerError when the checkpoint's recipe would have trained otherwise.
  virtual void check_same_recipe(const Checkpoint& checkpoint) const = 0;

  // Loads models, logs what will be trained, makes the trainer. `join`: called
  // before the trainer is made, where use_ranks() allows several.
  virtual PreparedRun prepare(
      const Compute& compute,
      const std::optional<Checkpoint>& resume,
      const JoinGroup& join) = 0;
  // Prints where the results are, and commands to use them.
  virtual void print_end(const RunOutcome& outcome) const = 0;
};

// What the kinds do alike with their recipes.
template <class R>
class JobOf : public RecipeJob {
 public:
  RecipeHeader& header() override { return recipe_; }
  std::string text() const override { return print_recipe(recipe_); }
  void make_paths_absolute() override { moft::make_paths_absolute(recipe_); }
  RunPlan plan() override { return plan_of(kind_, recipe_); }
  void use_ranks(int ranks) override {
    throw_caller_error(
        "{} ranks were started, but `{}` runs in one process; start it without "
        "the launcher",
        ranks,
        command_of(kind_));
  }

 protected:
  JobOf(RunKind kind, R recipe) : recipe_(std::move(recipe)), kind_(kind) {}

  R recipe_;

 private:
  RunKind kind_;
};

}  // namespace moft
