// Encoding prompts and checking their lengths.
#include "moft/training/training_prompts.h"

#include "moft/data/answer_end.h"
#include "moft/data/fit_prompts.h"

namespace moft {

std::string longest_prompt_words(const SteeredPolicy& policy) {
  std::string longest;
  if (!policy.conditions_prompts()) return longest;
  const std::size_t m = policy.objectives().size();
  std::int64_t most = -1;
  for (std::size_t i = 0; i < m; ++i) {
    std::vector<double> weights(
        m, m > 1 ? 0.23 / static_cast<double>(m - 1) : 0);
    weights[i] = m > 1 ? 0.77 : 1.0;
    for (const Weighting& w : {Weighting::corner(m, i), Weighting(weights)}) {
      const std::int64_t tokens = policy.count_word_tokens(w);
      if (tokens <= most) continue;
      most = tokens;
      longest = policy.prompt_words(w);
    }
  }
  return longest;
}

TrainingPrompts::TrainingPrompts(
    const SteeredPolicy& policy,
    const std::vector<Example>& examples,
    const PromptSizes& sizes)
    : examples_(examples), template_(policy.definition().prompt_template) {
  const ModelInfo& info = policy.base().model->info();
  require_end_token(info.end_tokens);
  template_.check(examples);
  PromptLimits limits;
  limits.prompt = sizes.max_prompt_tokens;
  limits.context = info.context;
  limits.answer = sizes.max_new_tokens;
  limits.answer_key = "training.max_new_tokens";
  limits.words = longest_prompt_words(policy);
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
