// On a CPU one sequence after the other, elsewhere all at once, padded.
#include "moft/kernels/relative_attention.h"

#include <algorithm>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "moft/core/errors.h"
#include "moft/kernels/attention_pieces.h"
#include "moft/kernels/padding.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// For every token of the batch the one in its place when each sequence is
// reversed; int64.
at::Tensor reversed_places(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> places;
  for (const std::int64_t length : lengths) {
    const std::int64_t end = std::ssize(places) + length;
    for (std::int64_t i = 1; i <= length; ++i)
      places.push_back(end - i);
  }
  return at::tensor(places, at::kLong);
}

// The distances of `n` tokens out of those of more.
at::Tensor near(const at::Tensor& by_distance, std::int64_t n) {
  const std::int64_t more = (by_distance.size(2) + 1) / 2 - n;
  return by_distance.narrow(2, more, 2 * n - 1);
}

// Inputs of one pass; `out` and `of_y` in a backward pass only.
//
// Both classes below reverse the queries of a sequence, and all that has their
// shape: query i and key j of n are then at the distance i + j - (n - 1), which
// attention_pieces.h takes as a sum.
struct Inputs {
  at::Tensor q, k, v, by_distance;
  std::vector<std::int64_t> lengths;
  double scale = 1.0;
  Attended out;  // packed: [tokens, heads, d] and [tokens, heads]
  at::Tensor of_y;
};

class OneByOne {
 public:
  explicit OneByOne(const Inputs& in)
      : in_(in), reversed_(reversed_places(in.lengths)), q_(reversed(in.q)) {
    std::int64_t begin = 0;
    for (const std::int64_t length : in.lengths) {
      begins_.push_back(begin);
      begin += length;
    }
  }

  Attended forward() const {
    const at::Tensor y = at::empty_like(q_);
    const at::Tensor sums = at::empty({q_.size(0), q_.size(1)}, q_.options());
    for_each(true, [&](std::int64_t s, HeadRange heads) {
      const Attended own = attend(
          of(q_, s, heads),
          of(in_.k, s, heads),
          of(in_.v, s, heads),
          rule(s, heads));
      of(y, s, heads).copy_(own.y);
      of(sums, s, heads).copy_(own.log_sum);
    });
    return {reversed(y), reversed(sums)};
  }

  variable_list backward(bool of_distances) const {
    const at::Tensor y = reversed(in_.out.y);
    const at::Tensor log_sum = reversed(in_.out.log_sum);
    const at::Tensor of_y = reversed(in_.of_y);
    const at::Tensor of_q = at::empty_like(q_);
    const at::Tensor of_k = at::empty(in_.k.sizes(), in_.k.options());
    const at::Tensor of_v = at::empty(in_.v.sizes(), in_.v.options());
    // One result per sequence, also where all share one table: the sum over
    // them then has one order.
    at::Tensor sums;
    if (of_distances) {
      auto shape = in_.by_distance.sizes().vec();
      shape[0] = std::ssize(begins_);
      sums = at::zeros(shape, q_.options());
    }
    for_each(!of_distances, [&](std::int64_t s, HeadRange heads) {
      const AttentionGradients own = attend_backward(
          of(q_, s, heads),
          of(in_.k, s, heads),
          of(in_.v, s, heads),
          rule(s, heads),
          {of(y, s, heads), of(log_sum, s, heads)},
          of(of_y, s, heads),
          of_distances);
      of(of_q, s, heads).copy_(own.q);
      of(of_k, s, heads).copy_(own.k);
      of(of_v, s, heads).copy_(own.v);
      if (of_distances) near(sums.narrow(0, s, 1), length(s)).copy_(own.by_sum);
    });
    return {
        reversed(of_q),
        of_k,
        of_v,
        of_distances ? sums.sum_to_size(in_.by_distance.sizes())
                     : at::Tensor()};
  }

 private:
  at::Tensor reversed(const at::Tensor& packed) const {
    return packed.index_select(0, reversed_);
  }

  std::int64_t length(std::int64_t s) const {
    return in_.lengths[static_cast<std::size_t>(s)];
  }

  // `split`: heads may be computed apart. The blocks of a trained table depend
  // on how many there are.
  template <typename Body>
  void for_each(bool split, const Body& body) const {
    const std::int64_t heads = in_.q.size(1);
    for_each_piece(
        std::ssize(begins_),
        split ? heads : 1,
        [&](std::int64_t s, HeadRange range) {
          body(s, split ? range : HeadRange{0, heads});
        });
  }

  // [tokens, heads, ..] -> [1, heads, length, ..] of some heads.
  at::Tensor of(
      const at::Tensor& packed, std::int64_t s, HeadRange heads) const {
    return packed.narrow(0, begins_[static_cast<std::size_t>(s)], length(s))
        .narrow(1, heads.begin, heads.count)
        .transpose(0, 1)
        .unsqueeze(0);
  }

  ScoreRule rule(std::int64_t s, HeadRange heads) const {
    const std::int64_t table = s % in_.by_distance.size(0);
    const at::Tensor own =
        in_.by_distance.narrow(0, table, 1).narrow(1, heads.begin, heads.count);
    ScoreRule rule{.scale = in_.scale};
    rule.by_sum = near(own, length(s));
    return rule;
  }

  const Inputs& in_;
  at::Tensor reversed_;  // places
  at::Tensor q_;         // in reversed order
  std::vector<std::int64_t> begins_;
};

class AllAtOnce {
 public:
  explicit AllAtOnce(const Inputs& in)
      : in_(in),
        padding_(
            places_of_lengths(in.lengths),
            std::ssize(in.lengths),
            in.q.device()),
        rule_{.scale = in.scale} {
    rule_.key_mask = padding_.key_mask();
    rule_.by_sum = near(in.by_distance, padding_.longest());
  }

  Attended forward() const {
    const Attended padded =
        attend(queries(in_.q), spread(in_.k), spread(in_.v), rule_);
    return {
        of_queries(padded.y),
        of_queries(padded.log_sum.unsqueeze(-1)).squeeze(-1)};
  }

  variable_list backward(bool of_distances) const {
    const at::Tensor sums = in_.out.log_sum.unsqueeze(-1);
    const AttentionGradients padded = attend_backward(
        queries(in_.q),
        spread(in_.k),
        spread(in_.v),
        rule_,
        {queries(in_.out.y), queries(sums).squeeze(-1)},
        queries(in_.of_y),
        of_distances);
    variable_list result{
        of_queries(padded.q), gather(padded.k), gather(padded.v), at::Tensor()};
    if (of_distances) {
      result[3] = at::zeros_like(in_.by_distance);
      near(result[3], padding_.longest()).copy_(padded.by_sum);
    }
    return result;
  }

 private:
  at::Tensor spread(const at::Tensor& packed) const {
    return padding_.spread(packed);
  }
  at::Tensor queries(const at::Tensor& packed) const {
    return spread(packed).flip(2);
  }

  at::Tensor gather(const at::Tensor& padded) const {
    return padding_.gather(padded).unflatten(1, {in_.q.size(1), -1});
  }
  at::Tensor of_queries(const at::Tensor& padded) const {
    return gather(padded.flip(2));
  }

  const Inputs& in_;
  Padding padding_;
  ScoreRule rule_;
};

struct RelativeAttention : torch::autograd::Function<RelativeAttention> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& q,
      const at::Tensor& k,
      const at::Tensor& v,
      const at::Tensor& by_distance,
      const std::vector<std::int64_t>* lengths,
      double scale) {
    const Inputs in{
        q.detach(),
        k.detach(),
        v.detach(),
        by_distance.detach(),
        *lengths,
        scale,
        {},
        {}};
    const Attended out =
        q.device().is_cpu() ? OneByOne(in).forward() : AllAtOnce(in).forward();
    context->save_for_backward({q, k, v, by_distance, out.y, out.log_sum});
    context->saved_data["lengths"] = *lengths;
    context->saved_data["scale"] = scale;
    context->saved_data["distances"] = by_distance.requires_grad();
    return out.y;
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const Inputs in{
        saved[0],
        saved[1],
        saved[2],
        saved[3],
        context->saved_data["lengths"].toIntVector(),
        context->saved_data["scale"].toDouble(),
        {saved[4], saved[5]},
        gradients[0].contiguous()};
    const bool of_distances = context->saved_data["distances"].toBool();
    variable_list of = in.q.device().is_cpu()
                           ? OneByOne(in).backward(of_distances)
                           : AllAtOnce(in).backward(of_distances);
    of.resize(6);
    return of;
  }
};

}  // namespace

at::Tensor relative_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& by_distance,
    const std::vector<std::int64_t>& lengths,
    double scale) {
  std::int64_t tokens = 0, longest = 1;
  for (const std::int64_t length : lengths) {
    tokens += length;
    longest = std::max(longest, length);
  }
  const std::int64_t tables = by_distance.size(0);
  if (tokens != q.size(0) || by_distance.size(2) < 2 * longest - 1 ||
      (tables != 1 && tables != std::ssize(lengths))) {
    throw_caller_error(
        "relative_attention: {} tokens in {} sequences, of which the longest "
        "has {}, do not fit {} queries and {} tables of {} distances",
        tokens,
        lengths.size(),
        longest,
        q.size(0),
        tables,
        by_distance.size(2));
  }
  return RelativeAttention::apply(
      q, k, v, by_distance.contiguous(), &lengths, scale);
}

}  // namespace moft::kernels
