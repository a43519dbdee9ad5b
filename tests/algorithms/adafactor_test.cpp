// Adafactor against traces in double (tests/reference/exact,
// h_adafactor_params.py; the same programs' splitmix64 draws are kept there).
#include "moft/algorithms/adafactor.h"

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

namespace moft {
namespace {

nlohmann::json traces() {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) + "/tests/reference/exact/optimizer.json");
  return nlohmann::json::parse(file).at("adafactor");
}

// The normal draws of tests/reference/exact/common.py.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}

  at::Tensor normals(at::IntArrayRef shape) {
    at::Tensor result = at::empty(shape, at::kDouble);
    for (std::int64_t i = 0; i < result.numel(); ++i)
      result.data_ptr<double>()[i] = normal();
    return result;
  }

 private:
  double uniform() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  double normal() {
    const double first = 1.0 - uniform();
    const double second = uniform();
    return std::sqrt(-2.0 * std::log(first)) *
           std::cos(2.0 * std::numbers::pi * second);
  }
  std::uint64_t state_;
};

at::Tensor flat(const nlohmann::json& json) {
  std::vector<double> all;
  std::function<void(const nlohmann::json&)> walk = [&](const auto& part) {
    if (part.is_array()) {
      for (const auto& inner : part)
        walk(inner);
    } else {
      all.push_back(part.template get<double>());
    }
  };
  walk(json);
  return at::tensor(all, at::kDouble);
}

// Two units in the last place of the largest parameter, per step.
void expect_trace(
    const at::Tensor& master, const nlohmann::json& json, int steps) {
  const at::Tensor expected = flat(json);
  const double unit = std::numeric_limits<float>::epsilon() *
                      expected.abs().max().item<double>();
  const double error = (master.reshape({-1}).to(at::kDouble) - expected)
                           .abs()
                           .max()
                           .item<double>();
  EXPECT_LE(error, 2 * unit * steps);
}

AdafactorOptions options_of(const nlohmann::json& trace) {
  AdafactorOptions options;
  options.min_dim_size_to_factor = trace.at("min_dim_size_to_factor");
  options.multiply_by_parameter_scale = trace.at("multiply_by_parameter_scale");
  return options;
}

TEST(Adafactor, FollowsTheFiveTraces) {
  ASSERT_EQ(traces().size(), 5u);
  for (const auto& trace : traces()) {
    const auto shape = trace.at("shape").get<std::vector<std::int64_t>>();
    Draws draws(trace.at("seed"));
    const at::Tensor master = (0.1 * draws.normals(shape)).to(at::kFloat);
    Adafactor adafactor({{"p", master}}, options_of(trace));
    const bool factored =
        trace.at("min_dim_size_to_factor") == 1 && shape.size() == 2;
    EXPECT_EQ(adafactor.states()[0].moments.contains("row_moment"), factored);
    for (int step = 1; step <= 5; ++step) {
      adafactor.step({{draws.normals(shape).to(at::kFloat)}}, trace.at("lr"));
      if (step == 1) expect_trace(master, trace.at("after1"), 1);
    }
    expect_trace(master, trace.at("after5"), 5);
  }
}

TEST(Adafactor, FirstUnfactoredStepIsTheScaledSign) {
  Draws draws(40);
  const at::Tensor before = 0.1 * draws.normals({6});
  const at::Tensor gradient = draws.normals({6});
  const at::Tensor master = before.to(at::kFloat);
  Adafactor adafactor({{"p", master}}, {});
  adafactor.step({{gradient.to(at::kFloat)}}, 1e-2);
  const double scale = std::sqrt(before.square().mean().item<double>());
  const at::Tensor expected = before - 1e-2 * scale * gradient.sign();
  EXPECT_LE((master - expected).abs().max().item<double>(), 2e-8);
}

// Copies that share G: a constant coefficient cancels; one whose coefficient
// is 0 keeps everything.
TEST(Adafactor, CopiesTakeTheirShareOfOneGradient) {
  Draws draws(7);
  const at::Tensor start = draws.normals({4, 3}).to(at::kFloat);
  const at::Tensor full = start.clone();
  const at::Tensor half = start.clone();
  const at::Tensor none = start.clone();
  Adafactor adafactor({{"full", full}, {"half", half}, {"none", none}}, {});
  for (int step = 0; step < 3; ++step) {
    const at::Tensor shared = draws.normals({4, 3}).to(at::kFloat);
    adafactor.step({{shared, 1.0}, {shared, 0.5}, {shared, 0.0}}, 1e-2);
  }
  EXPECT_TRUE(at::allclose(full, half, 1e-6, 1e-7));
  EXPECT_FALSE(at::equal(full, start));
  EXPECT_TRUE(at::equal(none, start));
  EXPECT_EQ(adafactor.states()[2].steps, 0);

  Adafactor dense({{"none", none}}, {.dense = true});
  dense.step({{draws.normals({4, 3}).to(at::kFloat), 0.0}}, 1e-2);
  EXPECT_TRUE(at::equal(none, start));  // a zero gradient moves nothing
  EXPECT_EQ(dense.states()[0].steps, 1);
}

// Views, as one adapter's rows of a stacked matrix, are written in place.
TEST(Adafactor, WritesViewsInPlace) {
  Draws draws(8);
  const at::Tensor stacked = draws.normals({6, 3}).to(at::kFloat);
  const at::Tensor rows = stacked.slice(0, 2, 4).clone();
  const at::Tensor gradient = draws.normals({2, 3}).to(at::kFloat);
  Adafactor on_view({{"p", stacked.slice(0, 2, 4)}}, {});
  Adafactor on_copy({{"p", rows}}, {});
  on_view.step({{gradient}}, 1e-2);
  on_copy.step({{gradient}}, 1e-2);
  EXPECT_TRUE(at::equal(stacked.slice(0, 2, 4), rows));
}

// Three dimensions: the two largest are averaged away, as in T5X.
TEST(Adafactor, FactorsTheTwoLargestDimensions) {
  const at::Tensor master = at::ones({4, 2, 3});
  Adafactor adafactor({{"p", master}}, {.min_dim_size_to_factor = 3});
  EXPECT_EQ(
      adafactor.states()[0].moments.at("row_moment").sizes(),
      (at::IntArrayRef{2, 3}));
  EXPECT_EQ(
      adafactor.states()[0].moments.at("column_moment").sizes(),
      (at::IntArrayRef{4, 2}));
  // A gradient of rank one per slice is factored without loss: a sign step.
  const at::Tensor a = at::arange(1, 5).reshape({4, 1, 1});
  const at::Tensor b = at::arange(1, 7).reshape({1, 2, 3});
  adafactor.step({{(a * b).to(at::kFloat)}}, 0.5);
  EXPECT_LE((master - 0.5).abs().max().item<float>(), 1e-6);
}

TEST(Adafactor, GoesOnFromItsOwnState) {
  Draws draws(9);
  const at::Tensor start = draws.normals({5, 4}).to(at::kFloat);
  const at::Tensor bias = draws.normals({4}).to(at::kFloat);
  const AdafactorOptions options{.min_dim_size_to_factor = 4};
  const at::Tensor w1 = start.clone(), b1 = bias.clone();
  Adafactor first({{"w", w1}, {"b", b1}}, options);
  const auto step = [&](Adafactor& adafactor, Draws& from) {
    const at::Tensor gw = from.normals({5, 4}).to(at::kFloat);
    adafactor.step({{gw}, {from.normals({4}).to(at::kFloat)}}, 1e-2);
  };
  step(first, draws);
  const at::Tensor w2 = w1.clone(), b2 = b1.clone();
  Adafactor second({{"w", w2}, {"b", b2}}, options);
  second.import_state(first.export_state());
  Draws again = draws;
  step(first, draws);
  step(second, again);
  EXPECT_TRUE(at::equal(w1, w2));
  EXPECT_TRUE(at::equal(b1, b2));

  auto state = first.export_state();
  state["w.steps"] = at::scalar_tensor(-1, at::kLong);
  EXPECT_THROW(second.import_state(state), CallerError);
  state = first.export_state();
  state.erase("w.row_moment");
  EXPECT_THROW(second.import_state(state), CallerError);
  state["w.second_moment"] = start;
  EXPECT_THROW(second.import_state(state), CallerError);
  EXPECT_TRUE(at::equal(w1, w2));
}

TEST(Adafactor, RefusesWhatCannotWork) {
  const at::Tensor p = at::ones({2});
  EXPECT_THROW(Adafactor({{"p", p}}, {.decay_rate = 0}), CallerError);
  EXPECT_THROW(Adafactor({{"p", p}}, {.epsilon1 = -1}), CallerError);
  EXPECT_THROW(Adafactor({{"p", p}}, {.clipping_threshold = 0.0}), CallerError);
  EXPECT_THROW(Adafactor({{"p", p}, {"p", p}}, {}), CallerError);
  EXPECT_THROW(Adafactor({{"p", p.to(at::kDouble)}}, {}), CallerError);
  Adafactor adafactor({{"p", p}}, {});
  EXPECT_THROW(adafactor.step({{at::ones({3})}}, 1e-2), CallerError);
  EXPECT_THROW(adafactor.step({}, 1e-2), CallerError);
}

}  // namespace
}  // namespace moft
