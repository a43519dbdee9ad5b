// Opens what a training reads, and hashes it.
#include "moft/recipes/training_models.h"

#include "moft/generation/policy_directory.h"
#include "moft/recipes/start.h"

namespace moft {

TrainingModels load_training_models(
    const Recipe& recipe, const LoadOptions& options, TrainingModels opened) {
  const TrainingOptions& training = recipe.training;
  TrainingModels models = std::move(opened);
  if (models.base.model == nullptr) {
    models.base =
        load_language_model(recipe.policy.model, base_options(recipe, options));
    models.tokenizer = load_base_tokenizer(recipe.policy.model, models.base);
  }
  if (training.has_value_network() && models.value.model == nullptr) {
    const auto& own = training.value.model;
    models.value = load_language_model(
        own.value_or(recipe.policy.model),
        own ? options : base_options(recipe, options));
  }
  RunInputs& inputs = models.inputs;
  inputs.add_model("base", models.base);
  inputs.add_tokenizer("base ", recipe.policy.model);
  if (training.value.model) inputs.add_model("value", models.value);
  for (const auto& [key, file] : start_files(recipe))
    inputs.add_file(key, file);
  inputs.add_files("data.train", recipe.data.train);
  inputs.add_chat(recipe.data);
  inputs.add_reward_files(recipe.objectives);
  return models;
}

}  // namespace moft
