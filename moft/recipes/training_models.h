// The models that a recipe of `moft train` starts from.
//
// Errors: CallerError and WorldError, as load_language_model() throws them.
// Thread safety: one thread.
#pragma once

#include <memory>
#include <optional>

#include "moft/models/load.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/run_inputs.h"
#include "moft/rewards/objectives.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// What training reads: its models, and the hashes of everything.
struct TrainingModels {
  LoadedModel base;
  std::shared_ptr<const Tokenizer> tokenizer;
  LoadedModel value;  // of the value network; null where the recipe wants none
  // What check_training() made of the recipe's objectives: their models are
  // loaded, and their programs are running.
  std::optional<ObjectiveSet> objectives;
  RunInputs inputs;
};

// `opened`: what check_training() opened with these options (preflight.h). It
// is taken as it is, and only what it lacks is read.
TrainingModels load_training_models(
    const Recipe& recipe,
    const LoadOptions& options,
    TrainingModels opened = {});

}  // namespace moft
