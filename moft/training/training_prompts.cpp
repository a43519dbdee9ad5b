// Encoding prompts and checking their lengths.
#include "moft/training/training_prompts.h"

#include "moft/data/answer_end.h"
#include "moft/data/fit_prompts.h"

namespace moft {

TrainingPrompts::TrainingPrompts(
    const SteeredPolicy& policy,
    const std::vector<Example>& examples,
    const PromptSizes& sizes)
    : examples_(examples), template_(policy.info().prompt.parsed()) {
  const ModelInfo& info = policy.base().model->info();
  require_end_token(info.end_tokens);
  template_.check(examples);
  PromptLimits limits;
  limits.prompt = sizes.max_prompt_tokens;
  limits.context = info.context;
  limits.answer = sizes.max_new_tokens;
  limits.answer_key = "training.max_new_tokens";
  limits.words = longest_prompt_words(policy.info().prompt, policy.tokenizer());
  PromptFitter fitter(template_, policy.tokenizer(), TooLong::kError);
  for (Example example : examples)
    ids_.push_back(fitter.fit(example, limits).value_or(TokenIds{}));
  fitter.finish();
}

Prompt TrainingPrompts::prompt(std::size_t i) const {
  return {ids_[i], template_.fill(examples_[i])};
}

std::string TrainingPrompts::text(std::size_t i) const {
  return template_.render(examples_[i]);
}

}  // namespace moft
