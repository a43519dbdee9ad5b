// Against the mask formula in double, differentiated by autograd.
#include "moft/kernels/tree_attention.h"

#include <limits>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr std::int64_t kSize = 8;

std::int64_t tokens_of(const std::vector<TokenTree>& trees) {
  std::int64_t tokens = 0;
  for (const TokenTree& tree : trees) {
    tokens += tree.trunk;
    for (const std::int64_t branch : tree.branches)
      tokens += branch;
  }
  return tokens;
}

// 0 where a token reads another, else -inf: [N, N].
at::Tensor mask_of(const std::vector<TokenTree>& trees) {
  const std::int64_t n = tokens_of(trees);
  at::Tensor mask =
      at::full({n, n}, -std::numeric_limits<double>::infinity(), at::kDouble);
  const auto open = [&](std::int64_t begin, std::int64_t length) {
    for (std::int64_t i = 0; i < length; ++i)
      mask[begin + i].narrow(0, begin, i + 1).zero_();
  };
  std::int64_t begin = 0;
  for (const TokenTree& tree : trees) {
    const std::int64_t trunk = begin;
    open(trunk, tree.trunk);
    begin += tree.trunk;
    for (const std::int64_t branch : tree.branches) {
      open(begin, branch);
      mask.narrow(0, begin, branch).narrow(1, trunk, tree.trunk).zero_();
      begin += branch;
    }
  }
  return mask;
}

at::Tensor by_mask(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask,
    double scale) {
  const std::int64_t group = q.size(1) / k.size(1);
  const auto heads_first = [](const at::Tensor& t) {
    return t.transpose(0, 1);
  };
  const at::Tensor scores =
      at::matmul(
          heads_first(q),
          heads_first(k.repeat_interleave(group, 1)).transpose(1, 2)) *
          scale +
      mask;
  return at::matmul(
             at::softmax(scores, -1),
             heads_first(v.repeat_interleave(group, 1)))
      .transpose(0, 1);
}

struct Case {
  std::vector<TokenTree> trees;
  std::int64_t heads;
  std::int64_t kv_heads;
};

void expect_formula(const Case& given) {
  const std::int64_t n = tokens_of(given.trees);
  std::vector<at::Tensor> inputs{
      numbers({n, given.heads, kSize}, 1) * 3,
      numbers({n, given.kv_heads, kSize}, 2) * 3,
      numbers({n, given.kv_heads, kSize}, 3)};
  std::vector<at::Tensor> wide;
  for (at::Tensor& input : inputs) {
    wide.push_back(input.to(at::kDouble).requires_grad_());
    input.requires_grad_();
  }
  const auto y =
      tree_attention(inputs[0], inputs[1], inputs[2], given.trees, 0.3);
  const auto exact =
      by_mask(wide[0], wide[1], wide[2], mask_of(given.trees), 0.3);
  EXPECT_LE(distance(y.detach(), exact.detach()), 2e-6);
  const auto of_y = numbers(y.sizes(), 4);
  const auto found = torch::autograd::grad({y}, inputs, {of_y});
  const auto wanted =
      torch::autograd::grad({exact}, wide, {of_y.to(at::kDouble)});
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double largest = wanted[i].abs().max().item<double>();
    EXPECT_LE(distance(found[i], wanted[i]), 2e-6 * (1 + largest))
        << "input " << i;
  }
}

TEST(TreeAttention, ValuesAndGradientsAreThoseOfTheMaskInDouble) {
  const std::vector<TokenTree> small{{5, {3, 0, 4}}, {1, {}}, {2, {7, 7}}};
  for (const std::int64_t kv_heads : {6, 3, 1})
    expect_formula({small, 6, kv_heads});
  // Longer than the blocks of flash attention.
  expect_formula({{{70, {300, 5}}}, 2, 1});
  expect_formula({{{530, {40, 600}}, {33, {1}}}, 2, 2});
}

void expect_own_bits(std::int64_t size, std::int64_t length, int threads) {
  const at::Tensor q = numbers({9 * length, 6, size}, 1);
  const at::Tensor k = numbers({9 * length, 3, size}, 2);
  const at::Tensor v = numbers({9 * length, 3, size}, 3);
  const auto of = [&](const std::vector<at::Tensor>& parts,
                      const std::vector<TokenTree>& trees) {
    const at::Tensor rows = at::cat(parts);
    return tree_attention(
        q.index_select(0, rows),
        k.index_select(0, rows),
        v.index_select(0, rows),
        trees,
        0.5);
  };
  const auto range = [](std::int64_t begin, std::int64_t end) {
    return at::arange(begin, end, at::kLong);
  };
  const std::int64_t n = length;
  const at::Tensor trunk = range(0, n + 2), branch = range(n + 2, 2 * n);
  const Threads count(threads);
  const auto alone = of({trunk, branch}, {{n + 2, {n - 2}}});
  const auto among =
      of({range(8 * n, 8 * n + 3),
          trunk,
          range(2 * n, 5 * n),
          branch,
          range(5 * n, 6 * n)},
         {{3, {}}, {n + 2, {3 * n, n - 2, n}}});
  EXPECT_TRUE(at::equal(among.narrow(0, 3, n + 2), alone.narrow(0, 0, n + 2)))
      << size << " " << n << " " << threads;
  EXPECT_TRUE(at::equal(
      among.narrow(0, 4 * n + 5, n - 2), alone.narrow(0, n + 2, n - 2)))
      << size << " " << n << " " << threads;
}

TEST(TreeAttention, ARowsBitsDependOnItsTrunkAndBranchAlone) {
  for (const int threads : {1, 2, 3, 4, 8}) {
    for (const std::int64_t length : {8, 33, 96, 200})
      for (const std::int64_t size : {8, 64})
        expect_own_bits(size, length, threads);
  }
}

TEST(TreeAttention, GradientsHaveTheSameBitsOnAnyNumberOfThreads) {
  const std::vector<TokenTree> trees{{20, {9, 4, 9, 9}}, {7, {3, 3, 30}}};
  const auto gradients = [&] {
    std::vector<at::Tensor> inputs;
    for (std::uint32_t i = 0; i < 3; ++i) {
      inputs.push_back(numbers({tokens_of(trees), i == 0 ? 4 : 2, kSize}, i)
                           .requires_grad_());
    }
    const auto y = tree_attention(inputs[0], inputs[1], inputs[2], trees, 0.5);
    return torch::autograd::grad({(y * y).sum()}, inputs);
  };
  const auto run = [&](int threads) {
    const Threads count(threads);
    return gradients();
  };
  const auto one = run(1);
  for (const int threads : {2, 3, 8}) {
    const auto more = run(threads);
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_TRUE(at::equal(more[i], one[i])) << threads << " threads";
  }
}

TEST(TreeAttention, RefusesTreesThatDoNotFitTheTokens) {
  const auto run = [](const std::vector<TokenTree>& trees) {
    const at::Tensor x = numbers({4, 2, kSize}, 1);
    (void)tree_attention(x, x, x, trees, 1.0);
  };
  EXPECT_THROW(run({{2, {1}}}), CallerError);
  EXPECT_THROW(run({{0, {4}}}), CallerError);
}

}  // namespace
}  // namespace moft::kernels
