#include "moft/kernels/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "moft/core/errors.h"

namespace moft::kernels {
namespace {

void check_options(const SampleOptions& options) {
  if (!(options.temperature > 0) || !std::isfinite(options.temperature)) {
    throw_caller_error(
        "sampling: temperature is {}; give a positive number, or greedy",
        options.temperature);
  }
  if (options.top_k && *options.top_k < 1) {
    throw_caller_error(
        "sampling: top_k is {}; give at least 1", *options.top_k);
  }
  if (options.top_p && !(*options.top_p > 0 && *options.top_p <= 1)) {
    throw_caller_error(
        "sampling: top_p is {}; give a number in (0, 1]", *options.top_p);
  }
}

struct Pick {
  std::int64_t id;
  double log_prob;
  double sampled_log_prob;
};

// The kept ids in rising order: top_k most probable, then the top_p nucleus.
std::vector<std::int64_t> kept_ids(
    const float* logits,
    const std::vector<double>& weights,
    const SampleOptions& options) {
  std::vector<std::int64_t> ids(weights.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::sort(ids.begin(), ids.end(), [&](auto a, auto b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  if (options.top_k && *options.top_k < static_cast<int64_t>(ids.size())) {
    ids.resize(*options.top_k);
  }
  if (options.top_p && *options.top_p < 1) {
    double total = 0;
    for (const auto id : ids)
      total += weights[id];
    double sum = 0;
    std::size_t count = 0;
    while (count < ids.size() && sum < *options.top_p * total) {
      sum += weights[ids[count++]];
    }
    ids.resize(count);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Pick pick_row(
    const float* logits,
    std::int64_t vocabulary,
    const SampleOptions& options,
    double uniform,
    std::int64_t row) {
  const auto* best = std::max_element(logits, logits + vocabulary);
  if (!std::isfinite(*best)) {
    throw_world_error(
        "sampling: row {} has largest logit {}; the model's output is broken",
        row,
        *best);
  }
  std::vector<double> weights(vocabulary);
  double total = 0;
  for (std::int64_t i = 0; i < vocabulary; ++i) {
    weights[i] = std::exp((double(logits[i]) - *best) / options.temperature);
    total += weights[i];
  }
  if (std::isnan(total)) {
    throw_world_error(
        "sampling: row {} holds a NaN; the model's output is broken", row);
  }
  if (options.greedy) return {best - logits, -std::log(total), 0.0};
  const auto ids = kept_ids(logits, weights, options);
  double kept = 0;
  for (const auto id : ids)
    kept += weights[id];
  double sum = 0;
  std::int64_t chosen = -1;
  for (const auto id : ids) {
    if (weights[id] == 0) continue;
    sum += weights[id];
    chosen = id;
    if (sum > uniform * kept) break;
  }
  const double log_weight =
      (double(logits[chosen]) - *best) / options.temperature;
  return {chosen, log_weight - std::log(total), log_weight - std::log(kept)};
}

}  // namespace

Samples sample_rows(
    const at::Tensor& logits,
    std::span<const SampleOptions> options,
    std::span<const double> uniforms) {
  at::NoGradGuard no_grad;
  const auto rows = logits.size(0);
  if (logits.dim() != 2 || logits.size(1) < 1) {
    throw_caller_error("sampling: logits must be [rows, vocabulary]");
  }
  if (static_cast<int64_t>(uniforms.size()) != rows ||
      (options.size() != 1 && static_cast<int64_t>(options.size()) != rows)) {
    throw_caller_error(
        "sampling: {} rows, {} uniforms, {} options; give one uniform per row "
        "and one option set for all or one per row",
        rows,
        uniforms.size(),
        options.size());
  }
  for (const auto& option : options)
    check_options(option);
  const auto local = logits.to(at::kCPU, at::kFloat).contiguous();
  Samples samples{
      at::empty({rows}, at::kLong),
      at::empty({rows}, at::kFloat),
      at::empty({rows}, at::kFloat)};
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto pick = pick_row(
        local.data_ptr<float>() + row * local.size(1),
        local.size(1),
        options[options.size() == 1 ? 0 : row],
        uniforms[row],
        row);
    samples.ids.data_ptr<int64_t>()[row] = pick.id;
    samples.log_probs.data_ptr<float>()[row] = pick.log_prob;
    samples.sampled_log_probs.data_ptr<float>()[row] = pick.sampled_log_prob;
  }
  return samples;
}

}  // namespace moft::kernels
