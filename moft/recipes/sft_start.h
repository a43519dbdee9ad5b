// The model of `moft sft` before its first step, and where its tokenizer's
// files are.
#pragma once

#include <filesystem>
#include <memory>

#include "moft/models/load.h"
#include "moft/recipes/sft_recipe.h"
#include "moft/tokenizers/tokenizer.h"
#include "moft/training/sft/pairs.h"

namespace moft {

struct SftStart {
  LoadedModel model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::filesystem::path tokenizer_folder;
};

SftStart start_finetuning(const SftRecipe& recipe, const LoadOptions& load);

}  // namespace moft
