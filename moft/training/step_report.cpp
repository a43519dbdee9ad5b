// What a finished step tells about itself: metrics and samples.
#include <algorithm>
#include <cmath>
#include <set>

#include "moft/training/online.h"

namespace moft {
namespace {

double mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values)
    sum += value;
  return values.empty() ? 0.0 : sum / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double center = mean(values);
  double sum = 0.0;
  for (const double value : values)
    sum += (value - center) * (value - center);
  return values.empty() ? 0.0
                        : std::sqrt(sum / static_cast<double>(values.size()));
}

std::vector<double> column(
    const std::vector<std::vector<double>>& table, std::size_t i) {
  std::vector<double> values;
  for (const auto& row : table)
    values.push_back(row[i]);
  return values;
}

}  // namespace

void OnlineTrainer::report(const StepBatch& batch, StepResult& result) const {
  auto& metrics = result.metrics;
  const auto rows = static_cast<double>(batch.rows.size());
  metrics["reward"] = mean(batch.reward);
  metrics["reward_std"] = deviation(batch.reward);
  metrics["frac_reward_zero_std"] = batch.share_of_ties;
  const auto& names = inputs_.objectives->names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto mapped = column(batch.scores.mapped, i);
    metrics["rewards/" + names[i] + "/mean"] = mean(mapped);
    metrics["rewards/" + names[i] + "/std"] = deviation(mapped);
    metrics["rewards/" + names[i] + "/raw_mean"] =
        mean(column(batch.scores.raw, i));
  }
  metrics["kl"] = mean(batch.log_ratio);
  metrics["entropy"] = mean(batch.entropy);
  double tokens = 0.0;
  double finished = 0.0;
  double gap = 0.0;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    tokens += static_cast<double>(batch.rows[r].tokens.size());
    finished += batch.rows[r].finished ? 1.0 : 0.0;
    gap += batch.rollout_gap[r];
  }
  metrics["completions/mean_length"] = tokens / rows;
  metrics["completions/clipped_ratio"] = 1.0 - finished / rows;
  const std::set<std::string> distinct(batch.texts.begin(), batch.texts.end());
  metrics["completions/distinct_ratio"] =
      static_cast<double>(distinct.size()) / rows;
  metrics["rollout_gap"] = gap / tokens;
  metrics["step_time"] = result.times.total();
  metrics["time/rollout"] = result.times.rollout;
  metrics["time/rewards"] = result.times.rewards;
  metrics["time/reference"] = result.times.reference;
  metrics["time/policy"] = result.times.policy;
  if (value_) metrics["time/value"] = result.times.value;
  metrics["time/optimizer"] = result.times.optimizer;
  metrics["tokens_per_second"] = tokens / result.times.total();

  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    const std::size_t p =
        r / static_cast<std::size_t>(batch.samples_per_prompt);
    TrainingSample sample;
    sample.example = batch.examples[p];
    sample.prompt = batch.prompt_texts[p];
    sample.completion = batch.texts[r];
    sample.steering = batch.steerings[p];
    sample.raw_rewards = batch.scores.raw[r];
    sample.rewards = batch.scores.mapped[r];
    sample.kl = batch.log_ratio[r];
    sample.reward = batch.reward[r];
    sample.advantage = batch.advantage[r];
    sample.tokens = static_cast<std::int64_t>(batch.rows[r].tokens.size());
    sample.finished = batch.rows[r].finished;
    result.samples.push_back(std::move(sample));
  }
}

}  // namespace moft
