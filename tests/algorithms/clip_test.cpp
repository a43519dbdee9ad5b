#include "moft/algorithms/clip.h"

#include <cmath>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

TrainedTensor named(const char* name, const at::Tensor& like) {
  return {name, at::zeros_like(like)};
}

TEST(Clip, NormCountsEveryCopyWithItsCoefficient) {
  // |G|^2 = 25, |H|^2 = 144: 25 (1/4 + 1/16) + 144.
  const at::Tensor g = at::tensor(std::vector<float>{3, 4}, at::kFloat);
  const at::Tensor h = at::tensor(std::vector<float>{0, -12, 0}, at::kFloat);
  const std::vector<TrainedTensor> parameters = {
      named("a", g), named("b", g), named("c", g), named("d", h)};
  const std::vector<ScaledGradient> gradients = {
      {g, 0.5}, {g, 0.25}, {g, 0.0}, {h}};
  const double norm = std::sqrt(25.0 * 0.3125 + 144.0);
  const auto off = clip_by_global_norm(parameters, gradients, std::nullopt);
  EXPECT_DOUBLE_EQ(off.norm, norm);
  EXPECT_EQ(off.factor, 1.0);
  const auto on = clip_by_global_norm(parameters, gradients, 1.0);
  EXPECT_DOUBLE_EQ(on.norm, norm);
  EXPECT_DOUBLE_EQ(on.factor, 1.0 / (norm + 1e-6));
  EXPECT_EQ(clip_by_global_norm(parameters, gradients, 13.0).factor, 1.0);
}

TEST(Clip, LargeValuesDoNotOverflowAndLayoutsAgree) {
  const at::Tensor g = (at::arange(100003, at::kFloat) * 0.37).sin() * 1e30;
  const double expected = g.to(at::kDouble).norm().item<double>();
  const at::Tensor odd = at::stack({g, g}, 1).select(1, 0);
  const at::Tensor wide = g.to(at::kDouble);
  for (const at::Tensor& tensor : {g, odd, wide}) {
    const auto clipped =
        clip_by_global_norm({named("g", tensor)}, {{tensor}}, 1.0);
    EXPECT_NEAR(clipped.norm / expected, 1.0, 1e-12);
  }
}

TEST(Clip, SameBitsForEveryThreadCount) {
  const at::Tensor g = (at::arange(1 << 19, at::kFloat) * 0.37).sin();
  const int threads = at::get_num_threads();
  std::vector<double> norms;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    norms.push_back(clip_by_global_norm({named("g", g)}, {{g}}, 1.0).norm);
  }
  at::set_num_threads(threads);
  EXPECT_EQ(norms[0], norms[1]);
  EXPECT_EQ(norms[0], norms[2]);
}

TEST(Clip, NonFiniteGradientsAreNamed) {
  const at::Tensor good = at::ones({70000});
  for (const double poison : {NAN, INFINITY, -INFINITY}) {
    at::Tensor bad = at::ones({70000});
    bad[69999] = poison;
    try {
      clip_by_global_norm(
          {named("layers.0.q", good), named("layers.1.q", good)},
          {{good}, {bad, 0.5}},
          std::nullopt);
      FAIL();
    } catch (const WorldError& error) {
      EXPECT_NE(
          std::string(error.what()).find("'layers.1.q'"), std::string::npos);
    }
  }
}

TEST(Clip, NothingTakesPart) {
  const at::Tensor g = at::ones({3});
  const auto clipped =
      clip_by_global_norm({named("a", g), named("b", g)}, {{}, {g, 0}}, 1.0);
  EXPECT_EQ(clipped.norm, 0.0);
  EXPECT_EQ(clipped.factor, 1.0);
}

TEST(Clip, RefusesUnfitInput) {
  const at::Tensor g = at::ones({3});
  EXPECT_THROW(clip_by_global_norm({named("a", g)}, {}, 1.0), CallerError);
  EXPECT_THROW(clip_by_global_norm({named("a", g)}, {{g}}, 0.0), CallerError);
  EXPECT_THROW(
      clip_by_global_norm({named("a", g)}, {{at::ones({4})}}, 1.0),
      CallerError);
}

}  // namespace
}  // namespace moft
