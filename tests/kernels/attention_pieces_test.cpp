// Flash attention and the formulas in blocks against each other and against
// autograd in double.
#include "moft/kernels/attention_pieces.h"

#include <limits>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Additive [batch or 1, heads or 1, n, l].
at::Tensor added(const ScoreRule& rule, std::int64_t n, std::int64_t l) {
  at::Tensor sum = at::zeros({1, 1, n, l}, at::kDouble);
  if (rule.causal)
    sum = sum + at::full({n, l}, -kInfinity, at::kDouble).triu(1);
  if (rule.key_mask.defined()) sum = sum + rule.key_mask.to(at::kDouble);
  if (rule.by_sum.defined()) {
    const at::Tensor i = at::arange(n, at::kLong);
    const at::Tensor j = at::arange(l, at::kLong);
    sum = sum + rule.by_sum.to(at::kDouble)
                    .index_select(-1, (i.unsqueeze(1) + j).flatten())
                    .unflatten(-1, {n, l});
  }
  return sum;
}

struct Case {
  std::int64_t batch, n, l;
  ScoreRule rule;
};

void expect_formula(const Case& given, bool of_sums) {
  const std::int64_t heads = 3, size = 8;
  const at::Tensor q = numbers({given.batch, heads, given.n, size}, 1);
  const at::Tensor k = numbers({given.batch, heads, given.l, size}, 2);
  const at::Tensor v = numbers({given.batch, heads, given.l, size}, 3);
  std::vector<at::Tensor> wide;
  for (const at::Tensor& t : {q, k, v})
    wide.push_back(t.to(at::kDouble).requires_grad_());
  ScoreRule exact = given.rule;
  if (of_sums) {
    exact.by_sum = exact.by_sum.to(at::kDouble).requires_grad_();
    wide.push_back(exact.by_sum);
  }
  const at::Tensor scores =
      at::matmul(wide[0], wide[1].transpose(-2, -1)) * exact.scale +
      added(exact, given.n, given.l);
  const at::Tensor wanted = at::matmul(at::softmax(scores, -1), wide[2]);
  const Attended found = attend(q, k, v, given.rule);
  EXPECT_LE(distance(found.y, wanted.detach()), 2e-6);
  EXPECT_LE(distance(found.log_sum, at::logsumexp(scores, -1).detach()), 2e-6);
  const at::Tensor of_y = numbers(q.sizes(), 4);
  const AttentionGradients of =
      attend_backward(q, k, v, given.rule, found, of_y, of_sums);
  const auto of_wide =
      torch::autograd::grad({wanted}, wide, {of_y.to(at::kDouble)});
  EXPECT_LE(distance(of.q, of_wide[0]), 1e-5);
  EXPECT_LE(distance(of.k, of_wide[1]), 1e-5);
  EXPECT_LE(distance(of.v, of_wide[2]), 1e-5);
  if (of_sums) {
    EXPECT_LE(distance(of.by_sum, of_wide[3]), 2e-5);
  }
}

TEST(AttentionPieces, EveryRuleIsItsFormula) {
  expect_formula({2, 9, 13, {.scale = 0.5}}, false);
  expect_formula({2, 17, 17, {.scale = 0.5, .causal = true}}, false);
  for (const std::int64_t tables : {1, 2}) {
    ScoreRule rule;
    rule.by_sum = numbers({tables, 3, 19 + 21 - 1}, 5);
    // Reversed queries of a decoder: nothing that comes later.
    rule.by_sum.narrow(2, 21, 18).fill_(-kInfinity);
    expect_formula({2, 19, 21, rule}, false);
    expect_formula({2, 19, 21, rule}, true);
    // Padding goes to the blocks of matrix products.
    rule.key_mask = at::zeros({2, 1, 1, 21});
    rule.key_mask[1].narrow(2, 1, 6).fill_(-kInfinity);
    expect_formula({2, 19, 21, rule}, false);
    expect_formula({2, 19, 21, rule}, true);
  }
}

TEST(AttentionPieces, SeveralBlocksOfQueriesAreTheirFormula) {
  // 2 x 3 x 600 scores a query: blocks of 145 queries.
  ScoreRule causal{.scale = 0.5, .causal = true};
  causal.key_mask = at::zeros({2, 1, 1, 600});
  expect_formula({2, 600, 600, causal}, false);
  ScoreRule relative;
  relative.by_sum = numbers({1, 3, 2 * 600 - 1}, 5);
  expect_formula({2, 600, 600, relative}, true);
}

TEST(AttentionPieces, MergedPiecesAreAttentionToAllKeys) {
  const at::Tensor q = numbers({1, 2, 5, 8}, 1);
  const at::Tensor k = numbers({1, 2, 30, 8}, 2) * 9;
  const at::Tensor v = numbers({1, 2, 30, 8}, 3);
  const ScoreRule rule;
  const Attended all = attend(q, k, v, rule);
  const auto part = [&](std::int64_t begin, std::int64_t length) {
    return attend(
        q, k.narrow(2, begin, length), v.narrow(2, begin, length), rule);
  };
  const Attended merged = merge(part(0, 11), part(11, 19));
  EXPECT_LE(distance(merged.y, all.y), 2e-6);
  EXPECT_LE(distance(merged.log_sum, all.log_sum), 1e-5);
}

}  // namespace
}  // namespace moft::kernels
