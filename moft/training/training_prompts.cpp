// Encoding prompts and checking their lengths.
#include "moft/training/training_prompts.h"

#include "moft/data/answer_end.h"
#include "moft/data/fit_prompts.h"

namespace moft {

TrainingPrompts::TrainingPrompts(
    const SteeredPolicy& policy,
    const std::vector<Example>& examples,
    const PromptSizes& sizes)
    : examples_(examples), maker_(policy.info().prompt.parsed()) {
  const ModelInfo& info = policy.base().model->info();
  require_end_token(info.end_tokens);
  maker_.check(examples);
  PromptLimits limits;
  limits.prompt = sizes.max_prompt_tokens;
  limits.context = info.context;
  limits.answer = sizes.max_new_tokens;
  limits.answer_key = "training.max_new_tokens";
  limits.words = longest_prompt_words(policy.info().prompt, policy.tokenizer());
  PromptFitter fitter(maker_, policy.tokenizer(), TooLong::kError);
  for (Example example : examples)
    ids_.push_back(fitter.fit(example, limits).value_or(TokenIds{}));
  fitter.finish();
}

Prompt TrainingPrompts::prompt(std::size_t i) const {
  Prompt prompt{ids_[i], {}};
  if (const ChatPrompt* chat = maker_.chat()) {
    prompt.turns =
        std::make_shared<const ChatTurns>(chat->prompt_turns(examples_[i]));
  } else {
    prompt.pieces = maker_.fill(examples_[i]);
  }
  return prompt;
}

std::string TrainingPrompts::text(std::size_t i) const {
  return maker_.render(examples_[i]);
}

}  // namespace moft
