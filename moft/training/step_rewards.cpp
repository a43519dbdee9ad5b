// The rewards of a step.
#include "moft/training/step_rewards.h"

#include <utility>

#include "moft/rewards/model_reward.h"
#include "moft/training/stopwatch.h"

namespace moft {

StepRewards::StepRewards(
    const ObjectiveSet& objectives,
    const Draw& draw,
    const Tokenizer* tokenizer,
    std::int64_t max_steps,
    std::function<bool()> stop_requested)
    : objectives_(objectives), tokenizer_(tokenizer), added_(draw.rows()) {
  memo_.stop_requested = std::move(stop_requested);
  const std::size_t rows = draw.rows();
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t p = draw.prompt_of(row);
    batch_.prompts.push_back(draw.prompt_texts[p]);
    batch_.examples.push_back(draw.examples[p]);
    batch_.groups.push_back(draw.first_prompt + p);
    if (!draw.turns.empty()) batch_.turns.push_back(draw.turns[p]);
  }
  batch_.completions.resize(rows);
  batch_.token_counts.resize(rows);
  batch_.step = draw.step;
  batch_.max_steps = max_steps;
  if (!objectives.has_sources()) return;
  batch_.completion_ids.resize(rows);
  if (tokenizer) batch_.raw_completions.resize(rows);
}

void StepRewards::add(
    std::size_t row, const Generation& generation, std::string text) {
  const TokenIds& tokens = generation.tokens;
  added_[row] = true;
  batch_.completions[row] = std::move(text);
  batch_.token_counts[row] = std::ssize(tokens) - (generation.finished ? 1 : 0);
  if (!batch_.completion_ids.empty()) batch_.completion_ids[row] = tokens;
  if (!batch_.raw_completions.empty()) {
    batch_.raw_completions[row] =
        tokenizer_->decode(tokens, /*skip_special=*/false);
  }
}

OnCompletion StepRewards::on_completion() {
  if (!objectives_.has_sources()) return nullptr;
  return [this](
             std::size_t row,
             const Generation& generation,
             const std::string& text) {
    add(row, generation, text);
    objectives_.row_arrived(batch_, row, memo_);
  };
}

Scores StepRewards::finish(const Rollout& rollout, StepTimes& times) {
  const Stopwatch watch(times.rewards);
  add_rest(rollout);
  return objectives_.score(batch_, memo_);
}

void StepRewards::add_rest(const Rollout& rollout) {
  for (std::size_t row = 0; row < added_.size(); ++row)
    if (!added_[row]) add(row, rollout.rows[row], rollout.texts[row]);
}

std::vector<std::vector<double>> StepRewards::compute(
    const std::vector<const Reward*>& rewards,
    const Rollout& rollout,
    const ItemRange& rows) {
  add_rest(rollout);
  const RewardBatch batch = rows_of(batch_, rows.first, rows.second);
  RewardMemo memo;
  std::vector<std::vector<double>> values;
  for (const Reward* reward : rewards)
    values.push_back(reward->score(batch, memo));
  return values;
}

void StepRewards::know(const Reward* reward, std::vector<double> values) {
  memo_.values[reward] = std::move(values);
}

}  // namespace moft
