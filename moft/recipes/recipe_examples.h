// The examples that a recipe names, as long as its model can read them.
#pragma once

#include "moft/data/fit_prompts.h"
#include "moft/generation/policy_definition.h"
#include "moft/recipes/recipe.h"

namespace moft {

// Which examples a recipe's data are for.
enum class ExamplesFor {
  kTraining,    // at most data.max_prompt_tokens, and room for the answer
  kEvaluation,  // room for the answer
};

// `words`: longest_prompt_words() of the policy.
PromptLimits prompt_limits(
    const Recipe& recipe,
    ExamplesFor purpose,
    std::int64_t context,
    const std::string& words);

// What data.too_long leaves of examples for a policy; logs what it skipped or
// cut. CallerError as fit_examples.
std::vector<Example> fit_to_policy(
    std::vector<Example> examples,
    const Recipe& recipe,
    ExamplesFor purpose,
    const Policy& policy);

// The policy that a recipe trains, without provenance. REQUIRES
// settle_prompt().
PolicyDefinition definition_of(const Recipe& recipe);

// CallerError for an example without a field that the prompt (where its
// settings are settled), a reward or the reference needs.
void check_fields(const std::vector<Example>& examples, const Recipe& recipe);

}  // namespace moft
