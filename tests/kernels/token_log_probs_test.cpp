#include "moft/kernels/token_log_probs.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

const std::int64_t kVocabularies[] = {1, 5, 8, 67, 4099};

at::Tensor log_probs_in_double(const at::Tensor& logits, double scale) {
  // The kernels round the inverse temperature to float.
  return at::log_softmax(
      logits.to(at::kDouble) * double{static_cast<float>(scale)}, -1);
}

at::Tensor some_targets(std::int64_t rows, std::int64_t vocabulary) {
  return at::arange(rows, at::kLong).mul(12345).remainder(vocabulary);
}

TEST(SelectedLogProbs, MatchesDouble) {
  for (const auto vocabulary : kVocabularies) {
    const auto logits = numbers({6, vocabulary}, 1) * 15;
    const auto targets = some_targets(6, vocabulary);
    for (const double scale : {1.0, 1 / 0.6}) {
      const auto truth = log_probs_in_double(logits, scale)
                             .gather(1, targets.unsqueeze(1))
                             .squeeze(1);
      const auto result =
          selected_log_probs(logits, targets, {.inverse_temperature = scale});
      EXPECT_EQ(result.scalar_type(), at::kFloat);
      EXPECT_LE(distance(result, truth), 4e-6) << vocabulary;
    }
  }
}

TEST(SelectedLogProbs, GradientMatchesAutogradInDouble) {
  for (const auto vocabulary : kVocabularies) {
    for (const bool overwrite : {false, true}) {
      const double scale = 1.5;
      const auto start = numbers({6, vocabulary}, 2) * 8;
      const auto targets = some_targets(6, vocabulary);
      const auto weights = numbers({6}, 3);
      auto wide = start.to(at::kDouble).requires_grad_();
      const auto truth = torch::autograd::grad(
          {at::log_softmax(wide * scale, -1)
               .gather(1, targets.unsqueeze(1))
               .squeeze(1)},
          {wide},
          {weights.to(at::kDouble)})[0];
      auto leaf = start.clone().requires_grad_();
      const auto logits = leaf * 1.0;  // nobody else reads it
      const auto result = selected_log_probs(
          logits,
          targets,
          {.inverse_temperature = scale, .overwrite_logits = overwrite});
      const auto gradient =
          torch::autograd::grad({result}, {leaf}, {weights})[0];
      EXPECT_LE(distance(gradient, truth), 2e-6)
          << vocabulary << " overwrite " << overwrite;
      EXPECT_TRUE(at::equal(leaf.detach(), start));
      EXPECT_EQ(overwrite, !at::equal(logits.detach(), start));
    }
  }
}

TEST(SelectedLogProbs, ForbiddenTokensWeighNothing) {
  const float inf = std::numeric_limits<float>::infinity();
  auto leaf = at::tensor({0.0f, -inf, 0.0f}).view({1, 3}).requires_grad_();
  const auto targets = at::tensor({0L}, at::kLong);
  const auto result = selected_log_probs(leaf, targets);
  EXPECT_FLOAT_EQ(result.item<float>(), std::log(0.5f));
  const auto gradient = torch::autograd::grad({result.sum()}, {leaf})[0];
  EXPECT_LE(distance(gradient, at::tensor({0.5f, 0.0f, -0.5f})), 1e-7);
}

TEST(SelectedLogProbs, RefusesTargetsOutsideTheVocabulary) {
  const auto logits = numbers({2, 5}, 4);
  const auto call = [&](std::vector<std::int64_t> ids) {
    return selected_log_probs(logits, at::tensor(ids, at::kLong));
  };
  EXPECT_NO_THROW(call({0, 4}));
  EXPECT_THROW(call({0, 5}), CallerError);
  EXPECT_THROW(call({0, -1}), CallerError);
  EXPECT_THROW(call({0}), CallerError);
}

TEST(ExactKl, MatchesDoubleAndIsZeroForEqualRows) {
  for (const auto vocabulary : kVocabularies) {
    const auto p = numbers({6, vocabulary}, 5) * 6;
    for (const double step : {1e-3, 0.1, 3.0}) {
      const auto q = p + numbers({6, vocabulary}, 6) * step;
      const auto log_p = log_probs_in_double(p, 1.25);
      const auto truth =
          (log_p.exp() * (log_p - log_probs_in_double(q, 1.25))).sum(-1);
      EXPECT_LE(distance(exact_kl(p, q, 1.25), truth), 3e-7 * (1 + 3 * step))
          << vocabulary << " step " << step;
    }
    EXPECT_EQ(exact_kl(p, p.clone(), 1.25).abs().max().item<float>(), 0.0f);
  }
}

TEST(ExactKl, TreatsForbiddenTokensAsLimits) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto p = at::tensor({0.0f, -inf, 0.0f}).view({1, 3});
  const auto q = at::zeros({1, 3});
  EXPECT_FLOAT_EQ(exact_kl(p, q).item<float>(), std::log(1.5f));
  EXPECT_EQ(exact_kl(p, p).item<float>(), 0.0f);
  EXPECT_EQ(exact_kl(q, p).item<float>(), inf);
}

TEST(Entropy, MatchesDoubleAndTheUniformCase) {
  for (const auto vocabulary : kVocabularies) {
    const auto p = numbers({6, vocabulary}, 7) * 6;
    const auto log_p = log_probs_in_double(p, 0.8);
    EXPECT_LE(distance(entropy(p, 0.8), -(log_p.exp() * log_p).sum(-1)), 3e-6);
    EXPECT_NEAR(
        entropy(at::ones({1, vocabulary})).item<float>(),
        std::log(static_cast<double>(vocabulary)),
        1e-6);
  }
}

TEST(TokenLogProbs, BitsDependOnTheRowAlone) {
  const auto p = numbers({9, 4099}, 8) * 10, q = numbers({9, 4099}, 9) * 10;
  const auto targets = some_targets(9, 4099);
  const auto chosen = selected_log_probs(p, targets);
  const auto kl = exact_kl(p, q), spread = entropy(p);
  for (const int threads : {1, 2, 4}) {
    const Threads set(threads);
    for (std::int64_t row = 0; row < 9; ++row) {
      const auto one = p.narrow(0, row, 1), other = q.narrow(0, row, 1);
      EXPECT_TRUE(at::equal(
          selected_log_probs(one, targets.narrow(0, row, 1)),
          chosen.narrow(0, row, 1)));
      EXPECT_TRUE(at::equal(exact_kl(one, other), kl.narrow(0, row, 1)));
      EXPECT_TRUE(at::equal(entropy(one), spread.narrow(0, row, 1)));
    }
  }
}

}  // namespace
}  // namespace moft::kernels
