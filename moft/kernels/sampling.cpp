// Draws each row on its own, on the CPU.
#include "moft/kernels/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/sampling_aten.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

constexpr std::int64_t kBlock = 1024;

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

void check_rows(
    const at::Tensor& logits,
    std::span<const SampleOptions> options,
    std::span<const double> uniforms) {
  if (logits.dim() != 2 || logits.size(1) < 1) {
    throw_caller_error("sampling: logits must be [rows, vocabulary]");
  }
  const auto rows = static_cast<std::size_t>(logits.size(0));
  if (uniforms.size() != rows ||
      (options.size() != 1 && options.size() != rows)) {
    throw_caller_error(
        "sampling: {} rows, {} uniforms, {} options; give one uniform per row "
        "and one option set for all or one per row",
        rows,
        uniforms.size(),
        options.size());
  }
  for (const double u : uniforms) {
    if (!(u >= 0 && u < 1)) {
      throw_caller_error("sampling: uniform {} is outside [0, 1)", u);
    }
  }
  for (const auto& option : options)
    check_options(option);
}

struct Pick {
  std::int64_t id;
  double log_prob;
};

// One row, with weights w_i = exp((x_i - largest) / temperature).
class Row {
 public:
  Row(const float* logits,
      std::int64_t vocabulary,
      const SampleOptions& options,
      std::int64_t index)
      : logits_(logits),
        vocabulary_(vocabulary),
        options_(options),
        scale_(static_cast<float>(1.0 / options.temperature)),
        largest_(simd::table().largest(logits, vocabulary)) {
    if (std::isfinite(largest_)) return;
    throw_world_error(
        "sampling: the largest logit of row {} is {}; the model's output is "
        "broken or every token is forbidden",
        index,
        largest_);
  }

  Pick pick(double uniform) {
    sum_blocks();
    if (options_.greedy) return greedy();
    const bool whole = options_.top_k.value_or(vocabulary_) >= vocabulary_ &&
                       options_.top_p.value_or(1.0) >= 1.0;
    return whole ? pick_any(uniform) : pick_kept(uniform);
  }

 private:
  double log_weight(std::int64_t id) const {
    return double{scale_} * (double{logits_[id]} - double{largest_});
  }

  void weigh(std::int64_t begin, std::int64_t count, float* weights) const {
    simd::table().exponentials(
        logits_ + begin, count, scale_, largest_, weights);
  }

  void sum_blocks() {
    for (std::int64_t at = 0; at < vocabulary_; at += kBlock) {
      blocks_.push_back(simd::table().exponentials(
          logits_ + at,
          std::min(kBlock, vocabulary_ - at),
          scale_,
          largest_,
          nullptr));
      total_ += blocks_.back();
    }
  }

  Pick greedy() const {
    const auto* best = std::find(logits_, logits_ + vocabulary_, largest_);
    return {best - logits_, -std::log(total_)};
  }

  // The first id whose cumulative weight exceeds uniform * total: first the
  // block, then the token in it. Rounding may leave a block's own sum just
  // short of the mark; then its last possible token is it.
  Pick pick_any(double uniform) const {
    const double mark = uniform * total_;
    double before = 0;
    std::size_t block = 0, last = 0;
    double before_last = 0;
    for (; block < blocks_.size(); ++block) {
      if (blocks_[block] > 0) {
        last = block;
        before_last = before;
        if (before + blocks_[block] > mark) break;
      }
      before += blocks_[block];
    }
    const auto begin = static_cast<std::int64_t>(last) * kBlock;
    const auto count = std::min(kBlock, vocabulary_ - begin);
    float weights[kBlock];
    weigh(begin, count, weights);
    double sum = before_last;
    std::int64_t chosen = begin;
    for (std::int64_t i = 0; i < count; ++i) {
      if (weights[i] == 0) continue;
      chosen = begin + i;
      sum += weights[i];
      if (sum > mark) break;
    }
    return {chosen, log_weight(chosen) - std::log(total_)};
  }

  bool before(std::int64_t a, std::int64_t b) const {
    return logits_[a] != logits_[b] ? logits_[a] > logits_[b] : a < b;
  }

  // Ids whose logit is at least `least`, in rising order.
  std::vector<std::int64_t> at_least(float least) const {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < vocabulary_; ++i) {
      if (logits_[i] >= least) ids.push_back(i);
    }
    return ids;
  }

  // Ids that can be kept, most probable first.
  std::vector<std::int64_t> candidates() const {
    const auto order = [this](auto a, auto b) { return before(a, b); };
    const double top_p = options_.top_p.value_or(1.0);
    const auto k = std::min(options_.top_k.value_or(vocabulary_), vocabulary_);
    std::vector<std::int64_t> ids;
    if (k < vocabulary_) {
      std::vector<float> values(logits_, logits_ + vocabulary_);
      std::nth_element(
          values.begin(),
          values.begin() + (k - 1),
          values.end(),
          std::greater<>());
      ids = at_least(values[k - 1]);
    } else {
      // Tokens lighter than (1 - top_p) total / V weigh less than
      // (1 - top_p) total together: the nucleus needs none of them. The
      // factor of two is room for rounding.
      const double light =
          0.5 * (1 - top_p) * total_ / static_cast<double>(vocabulary_);
      ids = at_least(static_cast<float>(
          double{largest_} + std::log(light) / double{scale_}));
    }
    std::sort(ids.begin(), ids.end(), order);
    if (static_cast<std::int64_t>(ids.size()) > k) ids.resize(k);
    return ids;
  }

  Pick pick_kept(double uniform) const {
    auto ids = candidates();
    const auto weight = [this](auto id) { return std::exp(log_weight(id)); };
    double kept = 0;
    for (const auto id : ids)
      kept += weight(id);
    if (const double top_p = options_.top_p.value_or(1.0); top_p < 1) {
      const bool all = options_.top_k.value_or(vocabulary_) >= vocabulary_;
      const double goal = top_p * (all ? total_ : kept);
      double sum = 0;
      std::size_t count = 0;
      while (count < ids.size() && sum < goal)
        sum += weight(ids[count++]);
      ids.resize(count);
    }
    std::sort(ids.begin(), ids.end());
    kept = 0;
    for (const auto id : ids)
      kept += weight(id);
    double sum = 0;
    std::int64_t chosen = ids.front();
    for (const auto id : ids) {
      if (weight(id) == 0) continue;
      chosen = id;
      sum += weight(id);
      if (sum > uniform * kept) break;
    }
    return {chosen, log_weight(chosen) - std::log(total_)};
  }

  const float* logits_;
  std::int64_t vocabulary_;
  const SampleOptions& options_;
  float scale_;
  float largest_;
  std::vector<double> blocks_;
  double total_ = 0;
};

}  // namespace

Samples sample_rows(
    const at::Tensor& logits,
    std::span<const SampleOptions> options,
    std::span<const double> uniforms) {
  const at::NoGradGuard no_grad;
  check_rows(logits, options, uniforms);
  if (!logits.device().is_cpu() && options.size() == 1 && logits.size(0) > 0 &&
      can_sample_aten(options[0], logits.size(1))) {
    return sample_rows_aten(logits, options[0], uniforms);
  }
  const auto local = logits.to(at::kCPU, at::kFloat).contiguous();
  const auto rows = local.size(0), vocabulary = local.size(1);
  Samples samples{at::empty({rows}, at::kLong), at::empty({rows}, at::kFloat)};
  auto* ids = samples.ids.mutable_data_ptr<std::int64_t>();
  auto* log_probs = samples.log_probs.mutable_data_ptr<float>();
  const auto* values = local.const_data_ptr<float>();
  parallel_ranges(rows, 1, [&](auto begin, auto end) {
    for (auto row = begin; row < end; ++row) {
      const auto& option = options[options.size() == 1 ? 0 : row];
      Row one(values + row * vocabulary, vocabulary, option, row);
      const auto pick = one.pick(uniforms[row]);
      ids[row] = pick.id;
      log_probs[row] = static_cast<float>(pick.log_prob);
    }
  });
  return samples;
}

}  // namespace moft::kernels
