#include "moft/algorithms/adamw.h"

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <set>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

namespace moft {
namespace {

// The same numbers as in tests/reference/algorithms/make_adamw.py.
at::Tensor fractions(at::IntArrayRef shape, std::int64_t salt) {
  at::Tensor values = at::empty(shape, at::kFloat);
  auto* data = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    data[i] =
        static_cast<float>((i * 7919 + salt * 104729) % 1009 - 504) / 512.0f;
  }
  return values;
}

constexpr double kWeights[4][2] = {{1, 0}, {.3, .7}, {0, 1}, {.5, .5}};

// How the masters and gradients lie in memory: contiguous ones take the single
// pass, others go through ATen.
using Layout = std::function<at::Tensor(const at::Tensor&)>;

at::Tensor contiguous(const at::Tensor& tensor) {
  return tensor.clone();
}

at::Tensor strided(const at::Tensor& tensor) {
  return at::stack({tensor, tensor}, -1).select(-1, 1);
}

AdamW make(const AdamWOptions& options, const Layout& layout) {
  return AdamW(
      {{"copy1", layout(fractions({5, 7}, 1))},
       {"copy2", layout(fractions({5, 7}, 2))},
       {"gain", layout(fractions({13}, 3)), /*decays=*/false}},
      options);
}

void run_steps(AdamW& adamw, int begin, int end, const Layout& layout) {
  for (int step = begin; step < end; ++step) {
    const at::Tensor shared = layout(fractions({5, 7}, 10 + step));
    const auto& w = kWeights[step % 4];
    adamw.step(
        {{shared, w[0]}, {shared, w[1]}, {layout(fractions({13}, 40 + step))}},
        1e-3 * (1 + step % 3),
        step % 2 == 1 ? 0.5 : 1.0);
  }
}

nlohmann::json reference() {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) + "/tests/reference/algorithms/adamw.json");
  return nlohmann::json::parse(file);
}

// Within three units in the last place of the largest element.
void expect_rounding(
    const at::Tensor& actual, const nlohmann::json& json, const char* what) {
  const at::Tensor expected =
      at::tensor(json.at(what).get<std::vector<float>>(), at::kFloat);
  const at::Tensor flat = actual.reshape({-1});
  ASSERT_EQ(flat.numel(), expected.numel());
  const double tolerance = 3.0 * std::numeric_limits<float>::epsilon() *
                           expected.abs().max().item<double>();
  EXPECT_LE((flat - expected).abs().max().item<double>(), tolerance) << what;
}

void expect_equals_torch(const Layout& layout) {
  const auto cases = reference();
  ASSERT_EQ(cases.size(), 3u);
  for (const auto& [name, item] : cases.items()) {
    SCOPED_TRACE(name);
    const auto& o = item.at("options");
    AdamW adamw = make(
        {.beta1 = o.at("beta1").get<double>(),
         .beta2 = o.at("beta2").get<double>(),
         .epsilon = o.at("epsilon").get<double>(),
         .weight_decay = o.at("weight_decay").get<double>(),
         .dense = o.at("dense").get<bool>()},
        layout);
    run_steps(adamw, 0, 12, layout);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& parameter = adamw.parameters()[i];
      SCOPED_TRACE(parameter.name);
      const auto& after = item.at("after").at(parameter.name);
      expect_rounding(parameter.master, after, "theta");
      expect_rounding(
          adamw.states()[i].moments.at("first_moment"), after, "first_moment");
      expect_rounding(
          adamw.states()[i].moments.at("second_moment"),
          after,
          "second_moment");
      EXPECT_EQ(adamw.states()[i].steps, after.at("steps").get<std::int64_t>());
    }
  }
}

TEST(AdamW, EqualsTorchInOnePass) {
  expect_equals_torch(contiguous);
}

TEST(AdamW, EqualsTorchThroughAten) {
  expect_equals_torch(strided);
}

// The first step moves every element by lr in the gradient's direction.
TEST(AdamW, FirstStepIsTheSignOfTheGradient) {
  at::Tensor theta = at::zeros({1000});
  const at::Tensor g = (at::arange(1000, at::kFloat) * 0.7).sin() + 0.001f;
  AdamW adamw({{"theta", theta}}, {});
  adamw.step({{g, 0.25}}, 0.01);
  EXPECT_LT((theta + 0.01 * g.sign()).abs().max().item<double>(), 1e-5);
}

TEST(AdamW, ACopyWithoutWeightIsLeftAloneToTheLastBit) {
  AdamW adamw = make({.weight_decay = 0.1}, contiguous);
  run_steps(adamw, 0, 2, contiguous);
  const at::Tensor theta = adamw.parameters()[0].master.clone();
  const at::Tensor m = adamw.states()[0].moments.at("first_moment").clone();
  const at::Tensor v = adamw.states()[0].moments.at("second_moment").clone();
  // A coefficient of 0 is not multiplied: a NaN in G cannot come through.
  const at::Tensor poison = at::full({5, 7}, NAN);
  adamw.step({{poison, 0.0}, {}, {}}, 1e-2);
  EXPECT_TRUE(adamw.parameters()[0].master.equal(theta));
  EXPECT_TRUE(adamw.states()[0].moments.at("first_moment").equal(m));
  EXPECT_TRUE(adamw.states()[0].moments.at("second_moment").equal(v));
  EXPECT_EQ(adamw.states()[0].steps, 2);
  EXPECT_EQ(adamw.states()[1].steps, 1);
  EXPECT_EQ(adamw.states()[2].steps, 2);
}

TEST(AdamW, DenseAppliesAZeroGradient) {
  AdamW adamw = make({.dense = true}, contiguous);
  run_steps(adamw, 0, 1, contiguous);
  const at::Tensor m = adamw.states()[0].moments.at("first_moment").clone();
  const at::Tensor v = adamw.states()[0].moments.at("second_moment").clone();
  adamw.step({{at::full({5, 7}, NAN), 0.0}, {}, {}}, 1e-2);
  EXPECT_TRUE(at::allclose(
      adamw.states()[0].moments.at("first_moment"), m * 0.9, 1e-6, 0));
  EXPECT_TRUE(at::allclose(
      adamw.states()[0].moments.at("second_moment"), v * 0.999, 1e-6, 0));
  EXPECT_EQ(adamw.states()[0].steps, 2);
}

// (G, c) with a clipping factor is the same as the product handed in.
TEST(AdamW, CoefficientAndFactorMultiplyTheGradient) {
  AdamW pair = make({}, contiguous), product = make({}, contiguous);
  const at::Tensor g = fractions({5, 7}, 77);
  for (int step = 0; step < 5; ++step) {
    pair.step({{g, 0.25}, {}, {}}, 1e-2, 0.5);
    product.step({{g * 0.125}, {}, {}}, 1e-2);
  }
  EXPECT_TRUE(
      pair.parameters()[0].master.equal(product.parameters()[0].master));
}

// Vector lanes, the scalar rest and chunk borders round alike, and adapters
// may be rows of one stacked master.
TEST(AdamW, PlaceInMemoryDoesNotMatter) {
  constexpr std::int64_t n = (1 << 15) + 11;
  at::Tensor stacked = at::full({2, n}, 0.3f).requires_grad_();
  AdamW adamw({{"a", stacked[0]}, {"b", stacked[1]}}, {.weight_decay = 0.01});
  const at::Tensor g = at::full({n}, 0.77f);
  for (int step = 0; step < 3; ++step)
    adamw.step({{g}, {g}}, 1e-2);
  const at::Tensor flat = stacked.detach().reshape({-1});
  EXPECT_TRUE(flat.eq(flat[0]).all().item<bool>());
  EXPECT_NE(flat[0].item<float>(), 0.3f);
}

TEST(AdamW, SameBitsForEveryThreadCount) {
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> results;
  for (const int count : {1, 3}) {
    at::set_num_threads(count);
    at::Tensor theta = fractions({300001}, 5);
    AdamW adamw({{"theta", theta}}, {});
    for (int step = 0; step < 3; ++step) {
      adamw.step({{fractions({300001}, step), 0.3}}, 1e-3);
    }
    results.push_back(theta);
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(results[0].equal(results[1]));
}

TEST(AdamW, ResumesToTheSameBits) {
  AdamW whole = make({.weight_decay = 0.1}, contiguous);
  run_steps(whole, 0, 5, contiguous);
  AdamW resumed = make({.weight_decay = 0.1}, contiguous);
  const auto exported = whole.export_state();
  EXPECT_EQ(exported.size(), 9u);
  EXPECT_EQ(exported.at("copy2.steps").item<std::int64_t>(), 3);
  resumed.import_state(exported);
  for (std::size_t i = 0; i < 3; ++i) {
    at::Tensor master = resumed.parameters()[i].master;
    master.copy_(whole.parameters()[i].master);
  }
  run_steps(whole, 5, 12, contiguous);
  run_steps(resumed, 5, 12, contiguous);
  const auto a = whole.export_state(), b = resumed.export_state();
  for (const auto& [name, tensor] : a) {
    EXPECT_TRUE(tensor.equal(b.at(name))) << name;
  }
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(
        whole.parameters()[i].master.equal(resumed.parameters()[i].master));
  }
}

TEST(AdamW, ImportRefusesWhatDoesNotFitAndChangesNothing) {
  AdamW adamw = make({}, contiguous);
  run_steps(adamw, 0, 2, contiguous);
  const at::Tensor before =
      adamw.states()[2].moments.at("first_moment").clone();
  AdamW other = make({}, contiguous);
  run_steps(other, 0, 3, contiguous);
  const auto good = other.export_state();
  const auto refuse =
      [&](const std::function<void(std::map<std::string, at::Tensor>&)>&
              spoil) {
        auto tensors = good;
        spoil(tensors);
        EXPECT_THROW(adamw.import_state(tensors), CallerError);
        EXPECT_TRUE(adamw.states()[2].moments.at("first_moment").equal(before));
      };
  refuse([](auto& t) { t.erase("gain.second_moment"); });
  refuse([](auto& t) { t["gain.second_moment"] = at::zeros({12}); });
  refuse(
      [](auto& t) { t["gain.second_moment"] = at::zeros({13}, at::kDouble); });
  refuse([](auto& t) {
    t["gain.steps"] = at::scalar_tensor(-1, at::TensorOptions(at::kLong));
  });
  refuse([](auto& t) { t["stranger.steps"] = at::zeros({}, at::kLong); });
  adamw.import_state(good);
  EXPECT_FALSE(adamw.states()[2].moments.at("first_moment").equal(before));
}

TEST(AdamW, RefusesUnfitInput) {
  const at::Tensor x = at::zeros({3});
  using Parameters = std::vector<TrainedTensor>;
  const Parameters one = {{"a", x}};
  EXPECT_THROW(AdamW(one, {.beta1 = 1.0}), CallerError);
  EXPECT_THROW(AdamW(one, {.beta2 = -0.1}), CallerError);
  EXPECT_THROW(AdamW(one, {.epsilon = 0.0}), CallerError);
  EXPECT_THROW(AdamW(one, {.weight_decay = NAN}), CallerError);
  EXPECT_THROW(AdamW(Parameters{{"a", x}, {"a", x}}, {}), CallerError);
  EXPECT_THROW(
      AdamW(Parameters{{"a", at::zeros({3}, at::kDouble)}}, {}), CallerError);
  AdamW adamw(one, {});
  EXPECT_THROW(adamw.step({}, 1.0), CallerError);
  EXPECT_THROW(adamw.step({{at::zeros({4})}}, 1.0), CallerError);
  EXPECT_THROW(adamw.step({{x}}, NAN), CallerError);
  EXPECT_EQ(adamw.states()[0].steps, 0);
}

}  // namespace
}  // namespace moft
