// What a run needs, looked at before its first step: the model's configuration
// and the shapes of its weights (not their values), its tokenizer, every
// prompt's length, the fields and files of every reward, room on the disk.
//
// `moft recipe check` prints all of it; `moft train` and `moft sft` look
// before they touch their output folder.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "moft/data/fit_prompts.h"
#include "moft/recipes/findings.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/sft_start.h"
#include "moft/recipes/training_models.h"
#include "moft/training/memory_estimate.h"

namespace moft {

struct TrainPreflight {
  Findings findings;
  FittedExamples train;        // empty when its examples are not good
  std::size_t evaluation = 0;  // examples left
  std::size_t final = 0;
  // Opened with the options' `load`, for load_training_models(). Without
  // `inputs`; empty when the model is not good.
  TrainingModels models;
  // What the memory estimate was asked; none when something is not good.
  std::optional<MemoryQuestion> memory;
};

enum class RunBegins {
  kFresh,
  kResumed,  // its checkpoints are on the disk already
};

struct PreflightOptions {
  std::string place;  // of the recipe, for messages
  RunBegins begins = RunBegins::kFresh;
  LoadOptions load = {};  // of the models that are opened
  // This process's rank, of how many that share each step, of how many of these
  // on this machine.
  int rank = 0;
  int ranks = 1;
  int local_ranks = 1;
};

// Looks at a recipe with resolved paths. `epochs` becomes `steps` in `recipe`
// once the examples are known to be good.
TrainPreflight check_training(Recipe& recipe, const PreflightOptions& options);

struct SftPreflight {
  Findings findings;
  SftStart start;  // empty when the model is not good
  SftPairs train;
  SftPairs held_out;
};

SftPreflight check_finetuning(
    SftRecipe& recipe, const PreflightOptions& options);

}  // namespace moft
