#include "moft/kernels/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// The definition, in double: ids kept, in rising order, and all weights.
struct Truth {
  std::vector<double> weights;
  std::vector<std::int64_t> kept;
};

Truth truth_of(const at::Tensor& row, const SampleOptions& options) {
  const auto* x = row.const_data_ptr<float>();
  const auto n = row.numel();
  Truth truth;
  const float top = *std::max_element(x, x + n);
  for (std::int64_t i = 0; i < n; ++i) {
    truth.weights.push_back(
        std::exp((double{x[i]} - top) / options.temperature));
  }
  truth.kept.resize(n);
  std::iota(truth.kept.begin(), truth.kept.end(), 0);
  std::stable_sort(truth.kept.begin(), truth.kept.end(), [&](auto a, auto b) {
    return x[a] > x[b];
  });
  const auto k = std::min(options.top_k.value_or(n), n);
  truth.kept.resize(k);
  double total = 0, sum = 0;
  for (const auto id : truth.kept)
    total += truth.weights[id];
  std::size_t count = 0;
  const double goal = options.top_p.value_or(1.0) * total;
  while (count < truth.kept.size() && (count == 0 || sum < goal)) {
    sum += truth.weights[truth.kept[count++]];
  }
  if (options.top_p.value_or(1.0) < 1) truth.kept.resize(count);
  std::sort(truth.kept.begin(), truth.kept.end());
  return truth;
}

// Walks uniforms over [0, 1): the token must hold the mark inside its own
// interval, to the rounding of the weights.
void expect_inverse_cdf(const at::Tensor& row, const SampleOptions& options) {
  const auto truth = truth_of(row.contiguous(), options);
  double total = 0, kept = 0;
  for (const double w : truth.weights)
    total += w;
  for (const auto id : truth.kept)
    kept += truth.weights[id];
  std::vector<double> uniforms;
  for (int i = 0; i < 64; ++i)
    uniforms.push_back((i + 0.37) / 64);
  uniforms.push_back(0);
  uniforms.push_back(std::nextafter(1.0, 0.0));
  const auto rows = row.view({1, -1}).expand(
      {static_cast<std::int64_t>(uniforms.size()), row.numel()});
  const auto samples = sample_rows(rows, options, uniforms);
  for (std::size_t i = 0; i < uniforms.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    const auto id = samples.ids[index].item<std::int64_t>();
    ASSERT_TRUE(std::binary_search(truth.kept.begin(), truth.kept.end(), id));
    double below = 0;
    for (const auto other : truth.kept) {
      if (other < id) below += truth.weights[other];
    }
    const double weight = truth.weights[id];
    EXPECT_GT(weight, 0);
    EXPECT_LE(below / kept, uniforms[i] + 1e-6);
    EXPECT_GE((below + weight) / kept, uniforms[i] - 1e-6);
    EXPECT_NEAR(
        samples.log_probs[index].item<float>(), std::log(weight / total), 5e-6);
  }
}

TEST(SampleRows, IsTheInverseCdfUnderEveryTruncation) {
  for (const std::int64_t vocabulary : {1, 7, 1024, 5000}) {
    const auto row = numbers({vocabulary}, 1) * 6;
    for (const double temperature : {0.3, 1.0, 1.7}) {
      expect_inverse_cdf(row, {.temperature = temperature});
      expect_inverse_cdf(row, {.temperature = temperature, .top_k = 3});
      expect_inverse_cdf(row, {.temperature = temperature, .top_p = 0.7});
      expect_inverse_cdf(
          row, {.temperature = temperature, .top_k = 40, .top_p = 0.9});
    }
  }
}

TEST(SampleRows, GreedyAndTiesPreferTheLowerId) {
  const auto row = at::tensor({1.0f, 3.0f, 3.0f, 3.0f, 0.0f}).view({1, 5});
  const std::vector<double> u = {0.999};
  const auto greedy = sample_rows(row, {.greedy = true}, u);
  EXPECT_EQ(greedy.ids.item<std::int64_t>(), 1);
  const auto two = sample_rows(row, {.top_k = 2}, u);
  EXPECT_EQ(two.ids.item<std::int64_t>(), 2);
  EXPECT_EQ(sample_rows(row, {.top_p = 0.2}, u).ids.item<std::int64_t>(), 1);
}

TEST(SampleRows, NeverPicksAForbiddenToken) {
  auto row = at::full({1, 3000}, -kInf);
  row[0][7] = 1.0f;
  row[0][2500] = 1.0f;
  for (const double u : {0.0, 0.4999, 0.5001, 1 - 1e-16}) {
    const auto id = sample_rows(row, SampleOptions{}, std::vector<double>{u})
                        .ids.item<std::int64_t>();
    EXPECT_EQ(id, u < 0.5 ? 7 : 2500);
  }
}

// 40000 draws from eight tokens: Pearson's statistic with 7 degrees of
// freedom stays below 24.3 in 999 of 1000 seeds; the seed is fixed.
TEST(SampleRows, FrequenciesFollowTheDistribution) {
  const std::int64_t draws = 40000;
  const auto row = numbers({8}, 2) * 2;
  std::vector<double> uniforms;
  RandomStream stream(3, Purpose::kTest, 0, 0);
  for (std::int64_t i = 0; i < draws; ++i) {
    uniforms.push_back(static_cast<double>(stream.next_u64() >> 11) * 0x1p-53);
  }
  const auto samples = sample_rows(
      row.view({1, 8}).expand({draws, 8}), SampleOptions{}, uniforms);
  const auto counts = at::bincount(samples.ids, {}, 8).to(at::kDouble);
  const auto expected = at::softmax(row.to(at::kDouble), 0) * draws;
  const auto statistic = ((counts - expected).pow(2) / expected).sum();
  EXPECT_LT(statistic.item<double>(), 24.3);
}

TEST(SampleRows, BitsDependOnTheRowAlone) {
  const auto logits = numbers({6, 4099}, 4) * 5;
  const std::vector<double> u = {0.1, 0.9, 0.5, 0.0, 0.33, 0.77};
  std::vector<SampleOptions> options(6);
  options[1].top_k = 50;
  options[2].top_p = 0.8;
  options[4].greedy = true;
  options[5].temperature = 0.6;
  const auto all = sample_rows(logits, options, u);
  for (const int threads : {1, 2, 4}) {
    const Threads set(threads);
    for (std::int64_t row = 0; row < 6; ++row) {
      const auto one = sample_rows(
          logits.narrow(0, row, 1), options[row], std::span(&u[row], 1));
      EXPECT_TRUE(at::equal(one.ids, all.ids.narrow(0, row, 1)));
      EXPECT_TRUE(at::equal(one.log_probs, all.log_probs.narrow(0, row, 1)));
    }
  }
}

TEST(SampleRows, RefusesBadOptionsAndBrokenLogits) {
  const auto row = numbers({1, 5}, 5);
  const std::vector<double> u = {0.5};
  EXPECT_THROW(sample_rows(row, {.temperature = 0}, u), CallerError);
  EXPECT_THROW(sample_rows(row, {.top_k = 0}, u), CallerError);
  EXPECT_THROW(sample_rows(row, {.top_p = 0.0}, u), CallerError);
  EXPECT_THROW(
      sample_rows(row, SampleOptions{}, std::vector<double>{1.0}), CallerError);
  EXPECT_THROW(
      sample_rows(row, SampleOptions{}, std::vector<double>{}), CallerError);
  for (const float bad : {std::nanf(""), kInf}) {
    auto broken = at::zeros({1, 70});
    broken[0][40] = bad;
    EXPECT_THROW(sample_rows(broken, SampleOptions{}, u), WorldError);
  }
  EXPECT_THROW(
      sample_rows(at::full({1, 9}, -kInf), SampleOptions{}, u), WorldError);
}

}  // namespace
}  // namespace moft::kernels
