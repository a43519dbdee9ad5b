// On a CPU one sequence after the other, elsewhere all at once, padded.
#include "moft/kernels/relative_attention.h"

#include <algorithm>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "moft/core/errors.h"
#include "moft/kernels/attention_pieces.h"
#include "moft/kernels/padding.h"
#include "moft/kernels/short_pieces.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The distances of `n` tokens out of those of more.
at::Tensor near(const at::Tensor& by_distance, std::int64_t n) {
  const std::int64_t more = (by_distance.size(2) + 1) / 2 - n;
  return by_distance.narrow(2, more, 2 * n - 1);
}

// Inputs of one pass; `out` and `of_y` in a backward pass only.
//
// Long sequences have their queries, and all that has their shape, reversed:
// query i and key j of n are then at the distance i + j - (n - 1), which
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
  explicit OneByOne(const Inputs& in) : in_(in) {
    std::int64_t begin = 0;
    for (const std::int64_t length : in.lengths) {
      sequences_.push_back({begin, length});
      begin += length;
    }
  }

  Attended forward() const {
    const Attended out{
        at::empty(in_.q.sizes(), in_.q.options()),
        at::empty({in_.q.size(0), in_.q.size(1)}, in_.q.options())};
    for_each(true, [&](std::int64_t s, HeadRange heads) {
      const Span& own = span(s);
      const TreeTensors tensors = short_tensors(s, out);
      if (is_short(tensors, {{}, own}))
        return attend_short(tensors, {{}, own}, heads);
      const Attended found = attend(
          reversed(in_.q, own, heads),
          of(in_.k, own, heads),
          of(in_.v, own, heads),
          rule(s, heads));
      of(out.y, own, heads).copy_(found.y.flip(2));
      of(out.log_sum, own, heads).copy_(found.log_sum.flip(2));
    });
    return out;
  }

  variable_list backward(bool of_distances) const {
    const at::Tensor of_q = at::empty(in_.q.sizes(), in_.q.options());
    const at::Tensor of_k = at::empty(in_.k.sizes(), in_.k.options());
    const at::Tensor of_v = at::empty(in_.v.sizes(), in_.v.options());
    // One result per sequence, also where all share one table: the sum over
    // them then has one order.
    at::Tensor sums;
    if (of_distances) {
      auto shape = in_.by_distance.sizes().vec();
      shape[0] = std::ssize(sequences_);
      sums = at::zeros(shape, in_.q.options());
    }
    for_each(!of_distances, [&](std::int64_t s, HeadRange heads) {
      const Span& own = span(s);
      const auto of_sums = [&] {
        return near(sums.narrow(0, s, 1), own.length);
      };
      const TreeTensors tensors = short_tensors(s, in_.out);
      if (is_short(tensors, {{}, own})) {
        of(of_k, own, heads).zero_();
        of(of_v, own, heads).zero_();
        TreeGradients gradients{of_q, of_k, of_v};
        if (of_distances) gradients.by_distance = of_sums().squeeze(0);
        return add_short_gradients(
            tensors, {{}, own}, heads, in_.of_y, gradients);
      }
      const AttentionGradients found = attend_backward(
          reversed(in_.q, own, heads),
          of(in_.k, own, heads),
          of(in_.v, own, heads),
          rule(s, heads),
          {reversed(in_.out.y, own, heads),
           reversed(in_.out.log_sum, own, heads)},
          reversed(in_.of_y, own, heads),
          of_distances);
      of(of_q, own, heads).copy_(found.q.flip(2));
      of(of_k, own, heads).copy_(found.k);
      of(of_v, own, heads).copy_(found.v);
      if (of_distances) of_sums().copy_(found.by_sum);
    });
    return {
        of_q,
        of_k,
        of_v,
        of_distances ? sums.sum_to_size(in_.by_distance.sizes())
                     : at::Tensor()};
  }

 private:
  const Span& span(std::int64_t s) const {
    return sequences_[static_cast<std::size_t>(s)];
  }

  // `split`: heads may be computed apart. The blocks of a trained table depend
  // on how many there are.
  template <typename Body>
  void for_each(bool split, const Body& body) const {
    const std::int64_t heads = in_.q.size(1);
    for_each_piece(
        std::ssize(sequences_),
        split ? heads : 1,
        [&](std::int64_t s, HeadRange range) {
          body(s, split ? range : HeadRange{0, heads});
        });
  }

  // [tokens, heads, ..] -> [1, heads, length, ..] of some heads.
  static at::Tensor of(
      const at::Tensor& packed, const Span& span, HeadRange heads) {
    return packed.narrow(0, span.begin, span.length)
        .narrow(1, heads.begin, heads.count)
        .transpose(0, 1)
        .unsqueeze(0);
  }
  static at::Tensor reversed(
      const at::Tensor& packed, const Span& span, HeadRange heads) {
    return of(packed, span, heads).flip(2);
  }

  // [1, heads, 2 n - 1] of a sequence of n tokens.
  at::Tensor distances(std::int64_t s) const {
    const std::int64_t table = s % in_.by_distance.size(0);
    return near(in_.by_distance.narrow(0, table, 1), span(s).length);
  }

  ScoreRule rule(std::int64_t s, HeadRange heads) const {
    ScoreRule rule{.scale = in_.scale};
    rule.by_sum = distances(s).narrow(1, heads.begin, heads.count);
    return rule;
  }

  TreeTensors short_tensors(std::int64_t s, const Attended& out) const {
    return {in_.q, in_.k, in_.v, in_.scale, out, distances(s).squeeze(0)};
  }

  const Inputs& in_;
  std::vector<Span> sequences_;
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
