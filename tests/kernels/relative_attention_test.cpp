// Against the formula in double, differentiated by autograd.
#include "moft/kernels/relative_attention.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr std::int64_t kHeads = 3, kLongest = 60;
// All but the longest are short pieces (short_pieces.h).
const std::vector<std::int64_t> kLengths{4, 13, 1, 7, 9, 2, 60, 5, 6};

at::Tensor in_double(
    const std::vector<at::Tensor>& inputs,
    const std::vector<std::int64_t>& lengths,
    double scale) {
  std::vector<at::Tensor> rows;
  std::int64_t begin = 0;
  const std::int64_t middle = (inputs[3].size(2) - 1) / 2;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    const std::int64_t n = lengths[s];
    const auto own = [&](const at::Tensor& packed) {
      return packed.narrow(0, begin, n).transpose(0, 1);
    };
    const at::Tensor place = at::arange(n, at::kLong);
    const at::Tensor distance = place.unsqueeze(0) - place.unsqueeze(1);
    const auto table = static_cast<std::int64_t>(s) % inputs[3].size(0);
    const at::Tensor bias = inputs[3][table]
                                .index_select(-1, (distance + middle).flatten())
                                .unflatten(-1, {n, n});
    const at::Tensor scores =
        at::matmul(own(inputs[0]), own(inputs[1]).transpose(1, 2)) * scale +
        bias;
    rows.push_back(
        at::matmul(at::softmax(scores, -1), own(inputs[2])).transpose(0, 1));
    begin += n;
  }
  return at::cat(rows);
}

std::vector<at::Tensor> inputs_of(std::int64_t tables, std::int64_t longest) {
  std::int64_t tokens = 0;
  for (const std::int64_t length : kLengths)
    tokens += length;
  return {
      numbers({tokens, kHeads, 8}, 1),
      numbers({tokens, kHeads, 8}, 2),
      numbers({tokens, kHeads, 8}, 3),
      numbers({tables, kHeads, 2 * longest - 1}, 4)};
}

void expect_formula(std::int64_t tables, std::int64_t longest, bool trained) {
  std::vector<at::Tensor> inputs = inputs_of(tables, longest), wide;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    wide.push_back(inputs[i].to(at::kDouble).requires_grad_());
    if (i < 3 || trained) inputs[i].requires_grad_();
  }
  const double scale = 0.25;
  const auto y = relative_attention(
      inputs[0], inputs[1], inputs[2], inputs[3], kLengths, scale);
  const auto exact = in_double(wide, kLengths, scale);
  EXPECT_LE(distance(y.detach(), exact.detach()), 3e-6);
  const auto of_y = numbers(y.sizes(), 5);
  if (!trained) inputs.pop_back();
  const auto found = torch::autograd::grad({y}, inputs, {of_y});
  const auto wanted =
      torch::autograd::grad({exact}, wide, {of_y.to(at::kDouble)});
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_LE(distance(found[i], wanted[i]), 2e-5) << "input " << i;
}

TEST(RelativeAttention, GradientsAreThoseOfTheFormulaInDouble) {
  for (const std::int64_t tables : {std::int64_t{1}, std::ssize(kLengths)}) {
    for (const std::int64_t longest : {kLongest, kLongest + 4}) {
      expect_formula(tables, longest, false);
      expect_formula(tables, longest, true);
    }
  }
}

TEST(RelativeAttention, ATablesGradientHasTheSameBitsInEveryRun) {
  const auto of_table = [] {
    auto inputs = inputs_of(1, kLongest);
    inputs[3].requires_grad_();
    const auto y = relative_attention(
        inputs[0], inputs[1], inputs[2], inputs[3], kLengths, 1.0);
    return torch::autograd::grad({y.sum() + (y * y).sum()}, {inputs[3]})[0];
  };
  const auto first = of_table();
  const Threads two(2);
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(at::equal(of_table(), first));
}

TEST(RelativeAttention, ARowsBitsDependOnItsSequenceAlone) {
  const auto inputs = inputs_of(1, kLongest);
  for (const int threads : {1, 2, 8}) {
    const Threads count(threads);
    const auto all = relative_attention(
        inputs[0], inputs[1], inputs[2], inputs[3], kLengths, 1.0);
    const auto expect_alone = [&](std::int64_t begin, std::int64_t length) {
      const auto alone = relative_attention(
          inputs[0].narrow(0, begin, length),
          inputs[1].narrow(0, begin, length),
          inputs[2].narrow(0, begin, length),
          inputs[3],
          {length},
          1.0);
      EXPECT_TRUE(at::equal(all.narrow(0, begin, length), alone))
          << length << " tokens, " << threads << " threads";
    };
    expect_alone(4, 13);
    expect_alone(36, 60);
  }
}

TEST(RelativeAttention, RefusesLengthsThatDoNotFit) {
  const auto inputs = inputs_of(1, kLongest);
  EXPECT_THROW(
      (void)relative_attention(
          inputs[0], inputs[1], inputs[2], inputs[3], {3}, 1.0),
      CallerError);
  EXPECT_THROW(
      (void)relative_attention(
          inputs[0],
          inputs[1],
          inputs[2],
          inputs[3].narrow(2, 0, 9),
          kLengths,
          1.0),
      CallerError);
}

}  // namespace
}  // namespace moft::kernels
