// On a CPU piece by piece, elsewhere all trees at once, padded.
#include "moft/kernels/tree_attention.h"

#include <optional>
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

// Tokens begin .. begin + length - 1.
struct Span {
  std::int64_t begin = 0;
  std::int64_t length = 0;
};

// A trunk, or a branch, which reads the trunk of its tree too.
struct Segment {
  Span own;
  std::optional<std::size_t> trunk;
};

struct Spans {
  std::vector<Segment> segments;  // in the tokens' order, none empty
  std::vector<Span> trunks;       // of every tree
  std::vector<Span> crowns;       // all branches of every tree together
  std::int64_t tokens = 0;
};

Spans spans_of(const std::vector<TokenTree>& trees) {
  Spans spans;
  for (std::size_t t = 0; t < trees.size(); ++t) {
    if (trees[t].trunk < 1)
      throw_caller_error("tree_attention: tree {} has no trunk", t);
    spans.trunks.push_back({spans.tokens, trees[t].trunk});
    spans.segments.push_back({spans.trunks.back(), std::nullopt});
    const std::int64_t first = spans.tokens += trees[t].trunk;
    for (const std::int64_t length : trees[t].branches) {
      if (length == 0) continue;
      spans.segments.push_back({{spans.tokens, length}, t});
      spans.tokens += length;
    }
    spans.crowns.push_back({first, spans.tokens - first});
  }
  return spans;
}

// y [N, heads, d] and log_sum [N, heads] of all tokens.
using Packed = Attended;

// Inputs of one pass; `out` and `of_y` in a backward pass only.
struct Inputs {
  at::Tensor q, k, v;
  double scale;
  Packed out;
  at::Tensor of_y;
};

// Every piece on its own: a key/value head is a batch entry with the query
// heads that read it.
class PieceByPiece {
 public:
  PieceByPiece(const Inputs& in, const Spans& spans)
      : in_(in), spans_(spans), kv_heads_(in.k.size(1)) {}

  Packed forward() const {
    Packed out{
        at::empty(in_.q.sizes(), in_.q.options()),
        at::empty({in_.q.size(0), in_.q.size(1)}, in_.q.options())};
    for_each_segment([&](const Segment& segment, HeadRange heads) {
      const Span& own = segment.own;
      Attended result = attended(own, own, true, heads);
      if (segment.trunk) {
        const Span& trunk = spans_.trunks[*segment.trunk];
        result = merge(attended(own, trunk, false, heads), result);
      }
      grouped(out.y, own, heads).copy_(result.y);
      grouped_sums(out, own, heads).copy_(result.log_sum);
    });
    return out;
  }

  variable_list backward() const {
    const at::Tensor of_q = at::empty(in_.q.sizes(), in_.q.options());
    const at::Tensor of_k = at::empty(in_.k.sizes(), in_.k.options());
    const at::Tensor of_v = at::empty(in_.v.sizes(), in_.v.options());
    // First what the tokens do among their own, which no two pieces share; then
    // what the branches do to their trunk, all of them in one piece. So sums
    // have one order, whatever the number of threads.
    for_each_segment([&](const Segment& segment, HeadRange heads) {
      const Span& own = segment.own;
      const AttentionGradients of = gradients(own, own, true, heads);
      grouped(of_q, own, heads).copy_(of.q);
      shared(of_k, own, heads).copy_(of.k.sum(1));
      shared(of_v, own, heads).copy_(of.v.sum(1));
    });
    const std::int64_t trees = std::ssize(spans_.trunks);
    for_each_piece(trees, kv_heads_, [&](std::int64_t i, HeadRange heads) {
      const Span& trunk = spans_.trunks[static_cast<std::size_t>(i)];
      const Span& crown = spans_.crowns[static_cast<std::size_t>(i)];
      if (crown.length == 0) return;
      const AttentionGradients of = gradients(crown, trunk, false, heads);
      grouped(of_q, crown, heads).add_(of.q);
      shared(of_k, trunk, heads).add_(of.k.sum(1));
      shared(of_v, trunk, heads).add_(of.v.sum(1));
    });
    return {of_q, of_k, of_v};
  }

 private:
  template <typename Body>
  void for_each_segment(const Body& body) const {
    const std::int64_t segments = std::ssize(spans_.segments);
    for_each_piece(segments, kv_heads_, [&](std::int64_t i, HeadRange heads) {
      body(spans_.segments[static_cast<std::size_t>(i)], heads);
    });
  }

  // [N, heads, d] -> [kv_heads, heads / kv_heads, length, d] of some key/value
  // heads; keys and values, which have one head per group, seen by all of it.
  at::Tensor grouped(
      const at::Tensor& packed, const Span& span, HeadRange heads) const {
    if (packed.size(1) != in_.q.size(1)) {
      return shared(packed, span, heads)
          .unsqueeze(1)
          .expand({-1, in_.q.size(1) / kv_heads_, -1, -1});
    }
    return packed.narrow(0, span.begin, span.length)
        .unflatten(1, {kv_heads_, -1})
        .narrow(1, heads.begin, heads.count)
        .permute({1, 2, 0, 3});
  }

  at::Tensor grouped_sums(
      const Packed& out, const Span& span, HeadRange heads) const {
    return grouped(out.log_sum.unsqueeze(-1), span, heads).squeeze(-1);
  }

  // [N, kv_heads, d] -> [kv_heads, length, d] of some of the heads.
  static at::Tensor shared(
      const at::Tensor& packed, const Span& span, HeadRange heads) {
    return packed.narrow(0, span.begin, span.length)
        .narrow(1, heads.begin, heads.count)
        .transpose(0, 1);
  }

  Attended attended(
      const Span& queries,
      const Span& keys,
      bool causal,
      HeadRange heads) const {
    return attend(
        grouped(in_.q, queries, heads),
        grouped(in_.k, keys, heads),
        grouped(in_.v, keys, heads),
        {.scale = in_.scale, .causal = causal});
  }

  AttentionGradients gradients(
      const Span& queries,
      const Span& keys,
      bool causal,
      HeadRange heads) const {
    return attend_backward(
        grouped(in_.q, queries, heads),
        grouped(in_.k, keys, heads),
        grouped(in_.v, keys, heads),
        {.scale = in_.scale, .causal = causal},
        {grouped(in_.out.y, queries, heads),
         grouped_sums(in_.out, queries, heads)},
        grouped(in_.of_y, queries, heads));
  }

  const Inputs& in_;
  const Spans& spans_;
  std::int64_t kv_heads_;
};

// All trees at once, in three padded pieces.
class AllAtOnce {
 public:
  AllAtOnce(const Inputs& in, const Spans& spans)
      : in_(in),
        group_(in.q.size(1) / in.k.size(1)),
        trunks_(spans.trunks, in.q.device()),
        branches_(branches_of(spans), in.q.device()),
        crowns_(spans.crowns, in.q.device()) {}

  Packed forward() const {
    Packed out{
        at::empty(in_.q.sizes(), in_.q.options()),
        at::empty({in_.q.size(0), in_.q.size(1)}, in_.q.options())};
    const auto write = [&](const Packed& part, const Side& side) {
      out.y.index_copy_(0, side.ids, part.y);
      out.log_sum.index_copy_(0, side.ids, part.log_sum);
    };
    write(attended(trunks_, trunks_, true), trunks_);
    if (branches_.ids.size(0) == 0) return out;
    const Packed own = attended(branches_, branches_, true);
    write(merge(attended(crowns_, trunks_, false), own), branches_);
    return out;
  }

  variable_list backward() const {
    variable_list of{
        at::zeros(in_.q.sizes(), in_.q.options()),
        at::zeros(in_.k.sizes(), in_.k.options()),
        at::zeros(in_.v.sizes(), in_.v.options())};
    add_gradients(trunks_, trunks_, true, of);
    if (branches_.ids.size(0) == 0) return of;
    add_gradients(branches_, branches_, true, of);
    add_gradients(crowns_, trunks_, false, of);
    return of;
  }

 private:
  // Some tokens of the batch, in sequences.
  struct Side {
    Side(const std::vector<Span>& spans, at::Device device)
        : ids(ids_of(spans, device)),
          padding(
              places_of_lengths(lengths_of(spans)), std::ssize(spans), device) {
    }

    at::Tensor ids;  // int64, among the packed tokens
    Padding padding;
  };

  static std::vector<Span> branches_of(const Spans& spans) {
    std::vector<Span> branches;
    for (const Segment& segment : spans.segments) {
      if (segment.trunk) branches.push_back(segment.own);
    }
    return branches;
  }

  static std::vector<std::int64_t> lengths_of(const std::vector<Span>& spans) {
    std::vector<std::int64_t> lengths;
    for (const Span& span : spans)
      lengths.push_back(span.length);
    return lengths;
  }

  static at::Tensor ids_of(const std::vector<Span>& spans, at::Device device) {
    std::vector<std::int64_t> ids;
    for (const Span& span : spans) {
      for (std::int64_t i = 0; i < span.length; ++i)
        ids.push_back(span.begin + i);
    }
    return at::tensor(ids, at::kLong).to(device);
  }

  // [N, heads or kv_heads, d] -> [sequences, heads, longest, d].
  at::Tensor spread(const at::Tensor& packed, const Side& side) const {
    const at::Tensor own = packed.index_select(0, side.ids);
    const bool shared = packed.size(1) != in_.q.size(1);
    return side.padding.spread(shared ? own.repeat_interleave(group_, 1) : own);
  }

  // [sequences, heads, longest, d] -> [tokens of the side, heads, d].
  at::Tensor gather(const at::Tensor& padded, const Side& side) const {
    return side.padding.gather(padded).unflatten(1, {in_.q.size(1), -1});
  }

  ScoreRule rule(const Side& keys, bool causal) const {
    ScoreRule rule{.scale = in_.scale, .causal = causal};
    // Padding comes after the tokens: a causal query never reads it.
    if (!causal) rule.key_mask = keys.padding.key_mask();
    return rule;
  }

  Packed attended(const Side& queries, const Side& keys, bool causal) const {
    const Attended padded = attend(
        spread(in_.q, queries),
        spread(in_.k, keys),
        spread(in_.v, keys),
        rule(keys, causal));
    return {
        gather(padded.y, queries),
        gather(padded.log_sum.unsqueeze(-1), queries).squeeze(-1)};
  }

  void add_gradients(
      const Side& queries,
      const Side& keys,
      bool causal,
      variable_list& of) const {
    const at::Tensor sums = in_.out.log_sum.unsqueeze(-1);
    const AttentionGradients padded = attend_backward(
        spread(in_.q, queries),
        spread(in_.k, keys),
        spread(in_.v, keys),
        rule(keys, causal),
        {spread(in_.out.y, queries), spread(sums, queries).squeeze(-1)},
        spread(in_.of_y, queries));
    const auto to_shared = [&](const at::Tensor& t) {
      return gather(t, keys).unflatten(1, {-1, group_}).sum(2);
    };
    of[0].index_add_(0, queries.ids, gather(padded.q, queries));
    of[1].index_add_(0, keys.ids, to_shared(padded.k));
    of[2].index_add_(0, keys.ids, to_shared(padded.v));
  }

  const Inputs& in_;
  std::int64_t group_;
  Side trunks_;
  Side branches_;
  Side crowns_;
};

struct TreeAttention : torch::autograd::Function<TreeAttention> {
  struct Holder : torch::CustomClassHolder {
    Holder(Spans spans_, double scale_)
        : spans(std::move(spans_)), scale(scale_) {}
    Spans spans;
    double scale;
  };

  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& q,
      const at::Tensor& k,
      const at::Tensor& v,
      const Spans* spans,
      double scale) {
    const Inputs in{q.detach(), k.detach(), v.detach(), scale, {}, {}};
    const Packed out = q.device().is_cpu() ? PieceByPiece(in, *spans).forward()
                                           : AllAtOnce(in, *spans).forward();
    context->save_for_backward({q, k, v, out.y, out.log_sum});
    context->saved_data["trees"] =
        c10::IValue::make_capsule(c10::make_intrusive<Holder>(*spans, scale));
    return out.y;
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const auto capsule = context->saved_data["trees"].toCapsule();
    const auto& trees = *static_cast<Holder*>(capsule.get());
    const Inputs in{
        saved[0],
        saved[1],
        saved[2],
        trees.scale,
        {saved[3], saved[4]},
        gradients[0].contiguous()};
    variable_list of = in.q.device().is_cpu()
                           ? PieceByPiece(in, trees.spans).backward()
                           : AllAtOnce(in, trees.spans).backward();
    of.resize(5);
    return of;
  }
};

}  // namespace

at::Tensor tree_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const std::vector<TokenTree>& trees,
    double scale) {
  const Spans spans = spans_of(trees);
  if (spans.tokens != q.size(0)) {
    throw_caller_error(
        "tree_attention: the trees have {} tokens, but q has {}",
        spans.tokens,
        q.size(0));
  }
  return TreeAttention::apply(q, k, v, &spans, scale);
}

}  // namespace moft::kernels
