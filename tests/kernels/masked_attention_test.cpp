// Against the formula in double, differentiated by autograd.
#include "moft/kernels/masked_attention.h"

#include <limits>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr std::int64_t kSequences = 11, kHeads = 3, kQueries = 9, kKeys = 13;

at::Tensor in_double(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask,
    double scale) {
  const auto scores = at::matmul(q, k.transpose(-2, -1)) * scale + mask;
  return at::matmul(at::softmax(scores, -1), v);
}

struct Case {
  at::Tensor q = numbers({kSequences, kQueries, kHeads, 8}, 1);
  at::Tensor k = numbers({kSequences, kKeys, kHeads, 8}, 2);
  at::Tensor v = numbers({kSequences, kKeys, kHeads, 8}, 3);
  at::Tensor mask;

  Case(std::int64_t tables, std::int64_t heads)
      : mask(numbers({tables, heads, kQueries, kKeys}, 4)) {
    // Padding: the last keys of some sequences.
    mask.select(3, kKeys - 1).fill_(-std::numeric_limits<float>::infinity());
    for (at::Tensor* t : {&q, &k, &v})
      *t = t->transpose(1, 2);
  }
};

void expect_gradients(const Case& given, bool trained, double scale) {
  std::vector<at::Tensor> inputs{given.q, given.k, given.v, given.mask}, wide;
  for (at::Tensor& input : inputs) {
    wide.push_back(input.to(at::kDouble).detach().requires_grad_());
    input = input.detach();
    if (&input != &inputs[3] || trained) input.requires_grad_();
  }
  const auto y =
      masked_attention(inputs[0], inputs[1], inputs[2], inputs[3], scale);
  const auto exact = in_double(wide[0], wide[1], wide[2], wide[3], scale);
  EXPECT_LE(distance(y.detach(), exact.detach()), 3e-6);
  const auto of_y = numbers(y.sizes(), 5);
  if (!trained) inputs.pop_back();
  const auto found = torch::autograd::grad({y}, inputs, {of_y});
  const auto wanted =
      torch::autograd::grad({exact}, wide, {of_y.to(at::kDouble)});
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_LE(distance(found[i], wanted[i]), 2e-5) << "input " << i;
}

TEST(MaskedAttention, GradientsAreThoseOfTheFormulaInDouble) {
  for (const double scale : {1.0, 0.25}) {
    for (const std::int64_t tables : {std::int64_t{1}, kSequences}) {
      for (const std::int64_t heads : {std::int64_t{1}, kHeads}) {
        expect_gradients(Case(tables, heads), false, scale);
        expect_gradients(Case(tables, heads), true, scale);
      }
    }
  }
}

TEST(MaskedAttention, AMasksGradientHasTheSameBitsInEveryRun) {
  const auto of_mask = [] {
    const Case given(1, kHeads);
    auto mask = given.mask.detach().requires_grad_();
    const auto y = masked_attention(given.q, given.k, given.v, mask, 1.0);
    return torch::autograd::grad({y.sum() + (y * y).sum()}, {mask})[0];
  };
  const Threads two(2);
  const auto first = of_mask();
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(at::equal(of_mask(), first));
}

}  // namespace
}  // namespace moft::kernels
