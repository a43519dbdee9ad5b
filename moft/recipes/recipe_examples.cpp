// Examples and policy definition of a recipe.
#include "moft/recipes/recipe_examples.h"

#include <utility>

#include "moft/core/log.h"
#include "moft/rewards/reward_inputs.h"
#include "moft/training/training_prompts.h"

namespace moft {

PromptLimits prompt_limits(
    const Recipe& recipe,
    ExamplesFor purpose,
    std::int64_t context,
    const std::string& words) {
  PromptLimits limits;
  if (purpose == ExamplesFor::kTraining)
    limits.prompt = recipe.data.max_prompt_tokens;
  limits.context = context;
  limits.answer = recipe.training.max_new_tokens;
  limits.answer_key = "training.max_new_tokens";
  limits.words = words;
  return limits;
}

std::vector<Example> fit_to_policy(
    std::vector<Example> examples,
    const Recipe& recipe,
    ExamplesFor purpose,
    const Policy& policy) {
  FittedExamples fitted = fit_examples(
      std::move(examples),
      policy.info().prompt.parsed(),
      policy.tokenizer(),
      prompt_limits(
          recipe,
          purpose,
          policy.context(),
          longest_prompt_words(policy.info().prompt, policy.tokenizer())),
      recipe.data.too_long);
  const std::string changed = fitted.report.describe();
  if (!changed.empty()) log_warning("prompts: {}", changed);
  return std::move(fitted.examples);
}

PolicyDefinition definition_of(const Recipe& recipe) {
  PolicyDefinition definition;
  for (const auto& [name, objective] : recipe.objectives) {
    definition.objectives.push_back(
        {name, objective.range[0], objective.range[1]});
  }
  definition.conditioning = recipe.conditioning;
  definition.conditioning.alpha_min =
      kl_range(recipe.conditioning, recipe.training.kl_strength).alpha_min();
  definition.kl_strength = recipe.training.kl_strength;
  definition.temperature = recipe.policy.temperature;
  PromptSpec prompt = recipe.data.spec();
  definition.prompt_template = std::move(prompt.prompt_template);
  definition.chat = std::move(prompt.chat);
  return definition;
}

void check_fields(const std::vector<Example>& examples, const Recipe& recipe) {
  if (recipe.data.settled) recipe.data.settled->maker().check(examples);
  check_reward_fields(recipe.objectives, examples);
  if (!recipe.data.reference_field) return;
  for (const Example& example : examples)
    text_field(example, *recipe.data.reference_field, "the reference");
}

}  // namespace moft
