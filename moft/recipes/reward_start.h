// The classifier of `moft reward train` before its first step, and what reads
// its rows.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/data/example.h"
#include "moft/models/classifier.h"
#include "moft/recipes/reward_recipe.h"
#include "moft/rewards/text_reader.h"
#include "moft/training/reward/rows.h"

namespace moft {

struct RewardStart {
  std::unique_ptr<Classifier> model;
  std::unique_ptr<TextReader> reader;
  std::optional<ChatPrompt> chat;  // the model's template
  bool new_head = false;
  std::string pad_text;  // of the padding token; empty: an encoder without one

  const ClassifierInfo& info() const { return reader->info(); }
  // Numbers in all parameters.
  std::int64_t parameters() const;
};

// Keeps the model's own head where its labels fit; a new head has the recipe's
// labels, else those of `train`. A decoder without a padding token pads with
// its end token. CallerError for what cannot be trained.
RewardStart start_reward_model(
    const RewardRecipe& recipe,
    const std::vector<Example>& train,
    const LoadOptions& load);

}  // namespace moft
