// Flash attention on a CPU; elsewhere the formulas in blocks of queries.
#include "moft/kernels/attention_pieces.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "moft/kernels/parallel.h"

namespace moft::kernels {
namespace {

constexpr float kBlocked = -std::numeric_limits<float>::infinity();

// Scores in a block: on a CPU what a near cache holds, elsewhere enough to keep
// the device busy.
constexpr std::int64_t kCpuScores = std::int64_t{1} << 19;
constexpr std::int64_t kDeviceScores = std::int64_t{1} << 25;

// Attention in blocks of queries, by matrix products.
class Blocks {
 public:
  Blocks(
      const at::Tensor& q,
      const at::Tensor& k,
      const at::Tensor& v,
      const ScoreRule& rule)
      : q_(q), k_(k), v_(v), rule_(rule) {
    const std::int64_t scores =
        q.device().is_cpu() ? kCpuScores : kDeviceScores;
    const std::int64_t per_query = q.size(0) * q.size(1) * k.size(2);
    size_ = std::max<std::int64_t>(
        16, scores / std::max<std::int64_t>(1, per_query));
  }

  Attended forward() const {
    Attended result{
        at::empty(q_.sizes(), q_.options()),
        at::empty(q_.sizes().slice(0, 3), q_.options())};
    for_blocks([&](std::int64_t begin, std::int64_t count) {
      const at::Tensor s = scores(begin, count);
      const at::Tensor log_sum = at::logsumexp(s, -1);
      const at::Tensor p = weights(s, log_sum);
      result.y.narrow(2, begin, count)
          .copy_(at::matmul(p, v_.narrow(2, 0, s.size(-1))));
      result.log_sum.narrow(2, begin, count).copy_(log_sum);
    });
    return result;
  }

  AttentionGradients backward(
      const Attended& attended, const at::Tensor& of_y, bool of_sums) {
    AttentionGradients of{
        at::empty(q_.sizes(), q_.options()),
        at::zeros(k_.sizes(), k_.options()),
        at::zeros(v_.sizes(), v_.options()),
        of_sums ? at::zeros(rule_.by_sum.sizes(), q_.options()) : at::Tensor()};
    const at::Tensor inner = (attended.y * of_y).sum(-1, /*keepdim=*/true);
    for_blocks([&](std::int64_t begin, std::int64_t count) {
      const auto block = [&](const at::Tensor& t) {
        return t.narrow(2, begin, count);
      };
      const at::Tensor s = scores(begin, count);
      const at::Tensor p = weights(s, block(attended.log_sum));
      const auto read = [&](const at::Tensor& t) {
        return t.narrow(2, 0, s.size(-1));
      };
      read(of.v).add_(at::matmul(p.transpose(-2, -1), block(of_y)));
      at::Tensor of_s = at::matmul(block(of_y), read(v_).transpose(-2, -1));
      of_s.sub_(block(inner)).mul_(p);
      if (of_sums) add_by_sum(of_s, begin, of.by_sum);
      of_s.mul_(rule_.scale);
      block(of.q).copy_(at::matmul(of_s, read(k_)));
      read(of.k).add_(at::matmul(of_s.transpose(-2, -1), block(q_)));
    });
    return of;
  }

 private:
  template <typename Body>
  void for_blocks(const Body& body) const {
    const std::int64_t n = q_.size(2);
    for (std::int64_t begin = 0; begin < n; begin += size_)
      body(begin, std::min(size_, n - begin));
  }

  // exp(s - log_sum), in the memory of `s`.
  static at::Tensor weights(at::Tensor s, const at::Tensor& log_sum) {
    return s.sub_(log_sum.unsqueeze(-1)).exp_();
  }

  // Attention of queries begin .. begin + count - 1 and the keys that they can
  // read.
  at::Tensor scores(std::int64_t begin, std::int64_t count) const {
    const std::int64_t keys = rule_.causal ? begin + count : k_.size(2);
    at::Tensor s = at::matmul(
        q_.narrow(2, begin, count), k_.narrow(2, 0, keys).transpose(-2, -1));
    s.mul_(rule_.scale);
    if (rule_.causal) {
      s.narrow(3, begin, count)
          .add_(at::full({count, count}, kBlocked, s.options()).triu_(1));
    }
    if (rule_.key_mask.defined()) s.add_(rule_.key_mask.narrow(3, 0, keys));
    if (rule_.by_sum.defined())
      s.add_(near(rule_.by_sum, begin, count, keys).unfold(-1, keys, 1));
    return s;
  }

  // The sums i + j of these queries.
  static at::Tensor near(
      const at::Tensor& by_sum,
      std::int64_t begin,
      std::int64_t count,
      std::int64_t keys) {
    return by_sum.narrow(-1, begin, keys + count - 1);
  }

  // Adds up what of_s [batch, heads, count, keys] has for each sum i + j.
  static void add_by_sum(
      const at::Tensor& of_s, std::int64_t begin, at::Tensor& sums) {
    const std::int64_t count = of_s.size(2), keys = of_s.size(3);
    const std::int64_t width = keys + count - 1;
    // Rows padded to width + 1 and read as rows of `width`: row i moves to the
    // right by i.
    const at::Tensor moved = at::constant_pad_nd(of_s, {0, count})
                                 .flatten(-2)
                                 .narrow(-1, 0, count * width)
                                 .unflatten(-1, {count, width})
                                 .sum(-2);
    at::Tensor target = near(sums, begin, count, keys);
    target.add_(moved.sum_to_size(target.sizes()));
  }

  const at::Tensor& q_;
  const at::Tensor& k_;
  const at::Tensor& v_;
  const ScoreRule& rule_;
  std::int64_t size_ = 0;
};

// Whether ATen's flash attention applies.
bool has_flash(const at::Tensor& q, const ScoreRule& rule) {
  return q.device().is_cpu() && !rule.key_mask.defined();
}

// Overlapping windows of the numbers by sum, which serve as a mask.
std::optional<at::Tensor> windows(
    const ScoreRule& rule, const at::Tensor& q, const at::Tensor& k) {
  if (!rule.by_sum.defined()) return std::nullopt;
  return rule.by_sum.unfold(-1, k.size(2), 1)
      .expand({q.size(0), q.size(1), q.size(2), k.size(2)});
}

Attended flash(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const ScoreRule& rule) {
  auto [y, log_sum] = at::_scaled_dot_product_flash_attention_for_cpu(
      q,
      k,
      v,
      /*dropout_p=*/0.0,
      rule.causal,
      windows(rule, q, k),
      rule.scale);
  return {y, log_sum};
}

AttentionGradients flash_backward(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const ScoreRule& rule,
    const Attended& attended,
    const at::Tensor& of_y) {
  auto [of_q, of_k, of_v] =
      at::_scaled_dot_product_flash_attention_for_cpu_backward(
          of_y,
          q,
          k,
          v,
          attended.y,
          attended.log_sum,
          /*dropout_p=*/0.0,
          rule.causal,
          windows(rule, q, k),
          rule.scale);
  return {of_q, of_k, of_v, at::Tensor()};
}

// Row by row: ATen's exponentials have other bits in vectors than in what is
// left of a row, and so depend on the shape.
Attended merge_rows(const Attended& a, const Attended& b) {
  Attended result{at::empty_like(a.y), at::empty_like(a.log_sum)};
  const auto y_a = a.y.accessor<float, 4>(), y_b = b.y.accessor<float, 4>();
  const auto sum_a = a.log_sum.accessor<float, 3>();
  const auto sum_b = b.log_sum.accessor<float, 3>();
  auto y = result.y.accessor<float, 4>();
  auto sum = result.log_sum.accessor<float, 3>();
  for (std::int64_t s = 0; s < y.size(0); ++s) {
    for (std::int64_t h = 0; h < y.size(1); ++h) {
      for (std::int64_t i = 0; i < y.size(2); ++i) {
        const double apart = double{sum_b[s][h][i]} - double{sum_a[s][h][i]};
        const auto share = static_cast<float>(1.0 / (1.0 + std::exp(-apart)));
        sum[s][h][i] = static_cast<float>(
            std::max(sum_a[s][h][i], sum_b[s][h][i]) +
            std::log1p(std::exp(-std::abs(apart))));
        const float* from_a = y_a[s][h][i].data();
        const float* from_b = y_b[s][h][i].data();
        float* to = y[s][h][i].data();
        for (std::int64_t j = 0; j < y.size(3); ++j)
          to[j] = from_a[j] + share * (from_b[j] - from_a[j]);
      }
    }
  }
  return result;
}

}  // namespace

Attended attend(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const ScoreRule& rule) {
  return has_flash(q, rule) ? flash(q, k, v, rule)
                            : Blocks(q, k, v, rule).forward();
}

Attended merge(const Attended& a, const Attended& b) {
  if (a.y.device().is_cpu() && a.y.scalar_type() == at::kFloat)
    return merge_rows(a, b);
  const at::Tensor share = at::sigmoid(b.log_sum - a.log_sum).unsqueeze(-1);
  return {at::lerp(a.y, b.y, share), at::logaddexp(a.log_sum, b.log_sum)};
}

AttentionGradients attend_backward(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const ScoreRule& rule,
    const Attended& attended,
    const at::Tensor& of_y,
    bool of_sums) {
  return has_flash(q, rule) && !of_sums
             ? flash_backward(q, k, v, rule, attended, of_y)
             : Blocks(q, k, v, rule).backward(attended, of_y, of_sums);
}

void for_each_piece(
    std::int64_t pieces,
    std::int64_t heads,
    const std::function<void(std::int64_t, HeadRange)>& body) {
  const bool whole = pieces >= 2 * at::get_num_threads();
  const std::int64_t calls = whole ? pieces : pieces * heads;
  // Pieces differ in size: a thread that is done takes the next one.
  std::atomic<std::int64_t> next = 0;
  const auto threads = std::min<std::int64_t>(calls, at::get_num_threads());
  parallel_ranges(threads, 1, [&](auto, auto) {
    const at::NoGradGuard no_gradient;  // of this thread
    for (auto i = next++; i < calls; i = next++) {
      if (whole) {
        body(i, {0, heads});
      } else {
        body(i / heads, {i % heads, 1});
      }
    }
  });
}

}  // namespace moft::kernels
