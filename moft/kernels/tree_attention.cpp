// On a CPU piece by piece, elsewhere all trees at once, padded.
#include "moft/kernels/tree_attention.h"

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

// A tree's trunk, and its branches, which read the trunk too.
struct Tree {
  Span trunk;
  Span crown;                     // all branches together
  std::vector<TreePiece> pieces;  // in the tokens' order, none empty
};

struct Spans {
  std::vector<Tree> trees;
  std::int64_t tokens = 0;
};

Spans spans_of(const std::vector<TokenTree>& trees) {
  Spans spans;
  for (std::size_t t = 0; t < trees.size(); ++t) {
    if (trees[t].trunk < 1)
      throw_caller_error("tree_attention: tree {} has no trunk", t);
    Tree& tree = spans.trees.emplace_back();
    tree.trunk = {spans.tokens, trees[t].trunk};
    tree.pieces.push_back({{}, tree.trunk});
    const std::int64_t first = spans.tokens += trees[t].trunk;
    for (const std::int64_t length : trees[t].branches) {
      if (length == 0) continue;
      tree.pieces.push_back({tree.trunk, {spans.tokens, length}});
      spans.tokens += length;
    }
    tree.crown = {first, spans.tokens - first};
  }
  return spans;
}

// Calls body(item, heads) for every item (attention_pieces.h).
template <typename Item, typename Body>
void for_each(
    const std::vector<Item>& items, std::int64_t kv_heads, const Body& body) {
  for_each_piece(
      std::ssize(items), kv_heads, [&](std::int64_t i, HeadRange heads) {
        body(items[static_cast<std::size_t>(i)], heads);
      });
}

// Every piece on its own: a key/value head is a batch entry with the query
// heads that read it.
class PieceByPiece {
 public:
  PieceByPiece(const TreeTensors& in, const Spans& spans)
      : in_(in), spans_(spans), kv_heads_(in.k.size(1)) {}

  void forward() const {
    std::vector<TreePiece> pieces;
    for (const Tree& tree : spans_.trees)
      pieces.insert(pieces.end(), tree.pieces.begin(), tree.pieces.end());
    for_each(pieces, kv_heads_, [&](const TreePiece& piece, HeadRange heads) {
      if (is_short(in_, piece)) return attend_short(in_, piece, heads);
      const Span& own = piece.own;
      Attended result = attended(own, own, true, heads);
      if (piece.trunk.length > 0)
        result = merge(attended(own, piece.trunk, false, heads), result);
      grouped(in_.out.y, own, heads).copy_(result.y);
      grouped_sums(own, heads).copy_(result.log_sum);
    });
  }

  variable_list backward(const at::Tensor& of_y) const {
    const TreeGradients of{
        at::empty(in_.q.sizes(), in_.q.options()),
        at::empty(in_.k.sizes(), in_.k.options()),
        at::empty(in_.v.sizes(), in_.v.options())};
    std::vector<Tree> low, high;
    std::vector<TreePiece> pieces;
    for (const Tree& tree : spans_.trees) {
      if (is_low(tree)) {
        low.push_back(tree);
        continue;
      }
      high.push_back(tree);
      pieces.insert(pieces.end(), tree.pieces.begin(), tree.pieces.end());
    }
    for_each(low, kv_heads_, [&](const Tree& tree, HeadRange heads) {
      const Span all{tree.trunk.begin, tree.trunk.length + tree.crown.length};
      shared(of.k, all, heads).zero_();
      shared(of.v, all, heads).zero_();
      for (const TreePiece& piece : tree.pieces)
        add_short_gradients(in_, piece, heads, of_y, of);
    });
    // First what the tokens do among their own, which no two pieces share; then
    // what the branches do to their trunk, all of them in one piece. So sums
    // have one order, whatever the number of threads.
    for_each(pieces, kv_heads_, [&](const TreePiece& piece, HeadRange heads) {
      const Span& own = piece.own;
      const auto found = gradients(own, own, true, heads, of_y);
      grouped(of.q, own, heads).copy_(found.q);
      shared(of.k, own, heads).copy_(found.k.sum(1));
      shared(of.v, own, heads).copy_(found.v.sum(1));
    });
    for_each(high, kv_heads_, [&](const Tree& tree, HeadRange heads) {
      if (tree.crown.length == 0) return;
      const auto found = gradients(tree.crown, tree.trunk, false, heads, of_y);
      grouped(of.q, tree.crown, heads).add_(found.q);
      shared(of.k, tree.trunk, heads).add_(found.k.sum(1));
      shared(of.v, tree.trunk, heads).add_(found.v.sum(1));
    });
    return {of.q, of.k, of.v};
  }

 private:
  // Whether all pieces are short.
  bool is_low(const Tree& tree) const {
    return std::all_of(
        tree.pieces.begin(), tree.pieces.end(), [&](const TreePiece& piece) {
          return is_short(in_, piece);
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

  at::Tensor grouped_sums(const Span& span, HeadRange heads) const {
    return grouped(in_.out.log_sum.unsqueeze(-1), span, heads).squeeze(-1);
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
      HeadRange heads,
      const at::Tensor& of_y) const {
    return attend_backward(
        grouped(in_.q, queries, heads),
        grouped(in_.k, keys, heads),
        grouped(in_.v, keys, heads),
        {.scale = in_.scale, .causal = causal},
        {grouped(in_.out.y, queries, heads), grouped_sums(queries, heads)},
        grouped(of_y, queries, heads));
  }

  const TreeTensors& in_;
  const Spans& spans_;
  std::int64_t kv_heads_;
};

// All trees at once, in three padded pieces.
class AllAtOnce {
 public:
  AllAtOnce(const TreeTensors& in, const Spans& spans)
      : in_(in),
        group_(in.q.size(1) / in.k.size(1)),
        trunks_(trunks_of(spans), in.q.device()),
        branches_(branches_of(spans), in.q.device()),
        crowns_(crowns_of(spans), in.q.device()) {}

  void forward() const {
    const auto write = [&](const Attended& part, const Side& side) {
      at::Tensor(in_.out.y).index_copy_(0, side.ids, part.y);
      at::Tensor(in_.out.log_sum).index_copy_(0, side.ids, part.log_sum);
    };
    write(attended(trunks_, trunks_, true), trunks_);
    if (branches_.ids.size(0) == 0) return;
    const Attended own = attended(branches_, branches_, true);
    write(merge(attended(crowns_, trunks_, false), own), branches_);
  }

  variable_list backward(const at::Tensor& of_y) const {
    variable_list of{
        at::zeros(in_.q.sizes(), in_.q.options()),
        at::zeros(in_.k.sizes(), in_.k.options()),
        at::zeros(in_.v.sizes(), in_.v.options())};
    add_gradients(trunks_, trunks_, true, of_y, of);
    if (branches_.ids.size(0) == 0) return of;
    add_gradients(branches_, branches_, true, of_y, of);
    add_gradients(crowns_, trunks_, false, of_y, of);
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

  static std::vector<Span> trunks_of(const Spans& spans) {
    std::vector<Span> trunks;
    for (const Tree& tree : spans.trees)
      trunks.push_back(tree.trunk);
    return trunks;
  }

  static std::vector<Span> branches_of(const Spans& spans) {
    std::vector<Span> branches;
    for (const Tree& tree : spans.trees) {
      for (const TreePiece& piece : tree.pieces)
        if (piece.trunk.length > 0) branches.push_back(piece.own);
    }
    return branches;
  }

  static std::vector<Span> crowns_of(const Spans& spans) {
    std::vector<Span> crowns;
    for (const Tree& tree : spans.trees)
      crowns.push_back(tree.crown);
    return crowns;
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

  Attended attended(const Side& queries, const Side& keys, bool causal) const {
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
      const at::Tensor& of_y,
      variable_list& of) const {
    const at::Tensor sums = in_.out.log_sum.unsqueeze(-1);
    const AttentionGradients padded = attend_backward(
        spread(in_.q, queries),
        spread(in_.k, keys),
        spread(in_.v, keys),
        rule(keys, causal),
        {spread(in_.out.y, queries), spread(sums, queries).squeeze(-1)},
        spread(of_y, queries));
    const auto to_shared = [&](const at::Tensor& t) {
      return gather(t, keys).unflatten(1, {-1, group_}).sum(2);
    };
    of[0].index_add_(0, queries.ids, gather(padded.q, queries));
    of[1].index_add_(0, keys.ids, to_shared(padded.k));
    of[2].index_add_(0, keys.ids, to_shared(padded.v));
  }

  const TreeTensors& in_;
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
    const TreeTensors in{
        q.detach(),
        k.detach(),
        v.detach(),
        scale,
        {at::empty(q.sizes(), q.options()),
         at::empty({q.size(0), q.size(1)}, q.options())}};
    if (q.device().is_cpu()) {
      PieceByPiece(in, *spans).forward();
    } else {
      AllAtOnce(in, *spans).forward();
    }
    context->save_for_backward({q, k, v, in.out.y, in.out.log_sum});
    context->saved_data["trees"] =
        c10::IValue::make_capsule(c10::make_intrusive<Holder>(*spans, scale));
    return in.out.y;
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const auto capsule = context->saved_data["trees"].toCapsule();
    const auto& trees = *static_cast<Holder*>(capsule.get());
    const TreeTensors in{
        saved[0], saved[1], saved[2], trees.scale, {saved[3], saved[4]}};
    const at::Tensor of_y = gradients[0].contiguous();
    variable_list of = in.q.device().is_cpu()
                           ? PieceByPiece(in, trees.spans).backward(of_y)
                           : AllAtOnce(in, trees.spans).backward(of_y);
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
