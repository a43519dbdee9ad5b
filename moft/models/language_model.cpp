// States and logits of completions, from what each family computes.
#include "moft/models/language_model.h"

#include "moft/core/errors.h"

namespace moft {

void LanguageModel::check_tokens(
    const TokenIds& ids, std::int64_t total_length) const {
  check_vocabulary(ids, info_.vocabulary);
  if (total_length > info_.context) {
    throw_caller_error(
        "a prompt of {} tokens with its completion takes {} tokens, but the "
        "model's context is {}{}; shorten the prompt or ask for fewer new "
        "tokens",
        ids.size(),
        total_length,
        info_.context,
        context_note_);
  }
}

void LanguageModel::check_batch(const ScoreBatch& batch) const {
  for (const TokenIds& prompt : batch.prompts)
    check_vocabulary(prompt, info_.vocabulary);
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    const auto& prompt =
        batch.prompts.at(static_cast<std::size_t>(batch.prompt_of_row[row]));
    const auto& completion = batch.completions[row];
    if (prompt.empty() || completion.empty()) {
      throw_caller_error(
          "row {} has an empty {}; scoring needs at least one token of each",
          row,
          prompt.empty() ? "prompt" : "completion");
    }
    const std::int64_t total = std::ssize(prompt) + std::ssize(completion);
    check_tokens(prompt, total);
    check_tokens(completion, total);
  }
}

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
