// Metrics and samples of a step.
#include "moft/training/step_report.h"

#include <cmath>
#include <set>

#include "moft/algorithms/correlation.h"
#include "moft/algorithms/values.h"

namespace moft {
namespace {

std::vector<double> values_of(const at::Tensor& values) {
  const at::Tensor flat = values.contiguous();
  const double* data = flat.const_data_ptr<double>();
  return {data, data + flat.numel()};
}

// Rows without a reward have no part in a mean.
at::Tensor rewarded(const Experience& experience, const at::Tensor& rows) {
  return experience.rewards.skipped.empty()
             ? rows
             : rows.masked_select(rows.isfinite());
}

double sum_of(const at::Tensor& rows) {
  double total = 0.0;
  for (const double value : values_of(rows))
    total += value;
  return total;
}

double mean_of(const at::Tensor& rows) {
  return sum_of(rows) / static_cast<double>(rows.numel());
}

double deviation_of(const at::Tensor& rows) {
  const double center = mean_of(rows);
  double total = 0.0;
  for (const double value : values_of(rows))
    total += (value - center) * (value - center);
  return std::sqrt(total / static_cast<double>(rows.numel()));
}

void report_rewards(
    const Experience& experience,
    const std::vector<std::string>& names,
    std::map<std::string, double>& metrics) {
  const at::Tensor reward = rewarded(experience, experience.advantages.reward);
  if (reward.numel() > 0) {
    metrics["reward"] = mean_of(reward);
    metrics["reward_std"] = deviation_of(reward);
  }
  metrics["frac_reward_zero_std"] = experience.advantages.share_of_ties;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i);
    const at::Tensor all = experience.rewards.raw.select(1, column);
    const at::Tensor mapped =
        rewarded(experience, experience.rewards.mapped.select(1, column));
    const at::Tensor raw = rewarded(experience, all);
    const std::string prefix = "rewards/" + names[i];
    if (raw.numel() > 0) {
      metrics[prefix + "/mean"] = mean_of(mapped);
      metrics[prefix + "/std"] = deviation_of(mapped);
      metrics[prefix + "/raw_mean"] = mean_of(raw);
    }
    const std::int64_t missing = all.numel() - raw.numel();
    if (missing > 0) {
      metrics[prefix + "/missing"] = static_cast<double>(missing);
    }
    metrics["time/rewards/" + names[i]] = experience.rewards.seconds[i];
  }
  if (!experience.rewards.skipped.empty()) {
    metrics["rewards/rows_left_out"] = static_cast<double>(
        experience.advantages.reward.numel() -
        experience.advantages.kept.numel());
  }
  for (const auto& [name, value] : experience.rewards.metrics)
    metrics[name] = value;
}

// Over the rows of the update.
void report_correlations(
    const Experience& experience,
    const std::vector<std::string>& names,
    std::map<std::string, double>& metrics) {
  const at::Tensor& kept = experience.advantages.kept;
  if (names.size() < 2 || kept.numel() < 2) return;
  const at::Tensor rewards = experience.rewards.mapped.index_select(0, kept);
  const auto report = [&](const std::string& key, const at::Tensor& groups) {
    for (const ObjectivePair& pair : reward_correlations(rewards, groups)) {
      metrics[key + "/" + names[pair.first] + "," + names[pair.second]] =
          pair.value;
    }
  };
  report("reward_correlation", {});
  report(
      "reward_correlation_within_prompts",
      experience.draw.prompt_of_row().index_select(0, kept));
}

void report_times(
    const StepTimes& times,
    double tokens,
    std::map<std::string, double>& metrics) {
  metrics["step_time"] = times.total();
  metrics["time/rollout"] = times.rollout;
  metrics["time/rewards"] = times.rewards;
  metrics["time/reference"] = times.reference;
  metrics["time/policy"] = times.policy;
  if (times.value > 0) metrics["time/value"] = times.value;
  metrics["time/optimizer"] = times.optimizer;
  if (times.ranks > 0) metrics["time/ranks"] = times.ranks;
  metrics["tokens_per_second"] = tokens / times.total();
}

TrainingSample sample_of(const Experience& experience, std::size_t row) {
  const Draw& draw = experience.draw;
  const Generation& generation = experience.rollout.rows[row];
  const std::size_t p = row / static_cast<std::size_t>(draw.samples_per_prompt);
  const auto r = static_cast<std::int64_t>(row);
  TrainingSample sample;
  sample.example = draw.examples[p];
  sample.prompt = draw.prompt_texts[p];
  sample.completion = experience.rollout.texts[row];
  sample.steering = draw.steerings[p];
  sample.raw_rewards = values_of(experience.rewards.raw[r]);
  sample.rewards = values_of(experience.rewards.mapped[r]);
  sample.kl = experience.ratios.sequence[r].item<double>();
  sample.reward = experience.advantages.reward[r].item<double>();
  sample.advantage = experience.advantages.advantage[r].item<double>();
  sample.tokens = std::ssize(generation.tokens);
  sample.finished = generation.finished;
  for (const auto& [name, texts] : experience.rewards.texts)
    if (!texts[row].empty()) sample.texts[name] = texts[row];
  return sample;
}

}  // namespace

void report_clip(
    const ClipFigures& figures, std::map<std::string, double>& metrics) {
  if (figures.tokens == 0.0) return;
  const auto share = [&](double count) { return count / figures.tokens; };
  metrics["clip_ratio/low_mean"] = share(figures.low);
  metrics["clip_ratio/high_mean"] = share(figures.high);
  metrics["clip_ratio/region_mean"] = share(figures.low + figures.high);
  metrics["approx_kl"] = share(figures.square) / 2;
  metrics["ratio"] = share(figures.ratio);
}

void report_token_values(
    const TokenValues& tokens,
    const std::vector<std::string>& names,
    std::map<std::string, double>& metrics) {
  const at::Tensor there =
      tokens.returns.select(1, 0).isfinite().nonzero().squeeze(1);
  if (there.numel() == 0) return;
  const at::Tensor found = tokens.values.index_select(0, there);
  const at::Tensor wanted = tokens.returns.index_select(0, there);
  metrics["value/loss"] =
      value_loss(found, wanted, static_cast<double>(wanted.numel()))
          .item<double>();
  metrics["value/explained_variance"] = explained_variance(found, wanted);
  const at::Tensor means = found.mean(0);
  if (means.numel() == 1) {
    metrics["value/reward/mean"] = means[0].item<double>();
    return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    metrics["value/" + names[i] + "/mean"] =
        means[static_cast<std::int64_t>(i)].item<double>();
  }
  metrics["value/kl/mean"] = means[std::ssize(names)].item<double>();
}

void report_step(
    const Experience& experience,
    const std::vector<std::string>& names,
    StepResult& result) {
  auto& metrics = result.metrics;
  const Rollout& rollout = experience.rollout;
  const auto rows = static_cast<double>(rollout.rows.size());
  const auto tokens =
      static_cast<double>(rollout.lengths().sum().item<std::int64_t>());
  const double finished = rows - sum_of(rollout.truncated());
  report_rewards(experience, names, metrics);
  report_correlations(experience, names, metrics);
  metrics["kl"] = mean_of(experience.ratios.sequence);
  metrics["entropy"] = mean_of(experience.ratios.entropy);
  metrics["completions/mean_length"] = tokens / rows;
  metrics["completions/clipped_ratio"] = 1.0 - finished / rows;
  const std::set<std::string> distinct(
      rollout.texts.begin(), rollout.texts.end());
  metrics["completions/distinct_ratio"] =
      static_cast<double>(distinct.size()) / rows;
  metrics["rollout_gap"] = sum_of(experience.ratios.rollout_gap) / tokens;
  report_times(result.times, tokens, metrics);
  for (std::size_t r = 0; r < rollout.rows.size(); ++r)
    result.samples.push_back(sample_of(experience, r));
}

}  // namespace moft
