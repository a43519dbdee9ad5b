// States and logits of completions, from what each family computes.
#include "moft/models/language_model.h"

namespace moft {

at::Tensor LanguageModel::completion_logits(
    const ScoreBatch& batch, const RowSteering& steering) {
  std::vector<std::int64_t> prompt_of_token;
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    prompt_of_token.insert(
        prompt_of_token.end(),
        batch.completions[row].size(),
        batch.prompt_of_row[row]);
  }
  const at::Tensor states = completion_states(batch, steering);
  return logits(
      states,
      steering.select(at::tensor(prompt_of_token, at::kLong).to(device_)));
}

at::Tensor LanguageModel::logits(
    const at::Tensor& states, const RowSteering& steering) const {
  return head_.forward(states, steering);
}

// The first token is the prompt, and the last token of a completion is
// predicted, never read: whatever it is.
at::Tensor LanguageModel::token_states(
    const std::vector<TokenIds>& texts, const RowSteering& steering) {
  ScoreBatch batch;
  for (const TokenIds& text : texts) {
    batch.prompt_of_row.push_back(std::ssize(batch.prompts));
    const std::size_t first = text.empty() ? 0 : 1;
    batch.prompts.emplace_back(text.begin(), text.begin() + first);
    batch.completions.emplace_back(text.begin() + first, text.end());
    batch.completions.back().push_back(0);
  }
  return completion_states(batch, steering);
}

at::Tensor LanguageModel::last_states(
    const std::vector<TokenIds>& texts, const RowSteering& steering) {
  ScoreBatch batch;
  for (const TokenIds& text : texts) {
    batch.prompt_of_row.push_back(std::ssize(batch.prompts));
    batch.prompts.push_back(text);
    batch.completions.push_back({0});
  }
  return completion_states(batch, steering);
}

}  // namespace moft
