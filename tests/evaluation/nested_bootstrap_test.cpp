// The bootstrap over seeds and prompts against closed forms.
#include "moft/evaluation/nested_bootstrap.h"

#include <cmath>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/evaluation/bootstrap.h"

namespace moft {
namespace {

using Scores = std::vector<std::vector<double>>;

Scores normals(std::size_t seeds, std::size_t prompts) {
  Scores scores(seeds);
  for (std::size_t s = 0; s < seeds; ++s) {
    RandomStream random(5, Purpose::kTest, 0, static_cast<std::uint32_t>(s));
    for (std::size_t n = 0; n < prompts; ++n)
      scores[s].push_back(0.3 * static_cast<double>(s) + random.normal());
  }
  return scores;
}

TEST(NestedBootstrap, WithOneSeedIsThePlainOneBitForBit) {
  const Scores scores = normals(1, 60);
  const Effect nested =
      NestedBootstrap(1, 60, {.resamples = 500, .seed = 4}).mean(scores);
  const Interval plain =
      Bootstrap(60, {.resamples = 500, .level = 0.9, .seed = 4})
          .mean(scores.front());
  EXPECT_EQ(nested.mean, plain.mean);
  EXPECT_NEAR(nested.lower, plain.low, 1e-15);
  EXPECT_NEAR(nested.upper, plain.high, 1e-15);
  EXPECT_EQ(nested.seeds, std::vector<double>{plain.mean});
}

TEST(NestedBootstrap, TwoSeedsWithoutNoiseFollowTheBinomial) {
  // Means 0, 1/2, 1 with chances 1/4, 1/2, 1/4, whatever the prompts: the
  // bounds are 0 and 1 for an error below 1/4, and the middle above.
  const Scores scores{{0, 0, 0}, {1, 1, 1}};
  const Effect wide = NestedBootstrap(2, 3, {.error = 0.2}).mean(scores);
  EXPECT_EQ(wide.mean, 0.5);
  EXPECT_EQ(wide.lower, 0);
  EXPECT_EQ(wide.upper, 1);
  EXPECT_EQ(wide.seeds, (std::vector<double>{0, 1}));
  const Effect narrow = NestedBootstrap(2, 3, {.error = 0.3}).mean(scores);
  EXPECT_EQ(narrow.lower, 0.5);
  EXPECT_EQ(narrow.upper, 0.5);
}

TEST(NestedBootstrap, VarianceIsThatOfSeedsPlusThatOfPrompts) {
  // Var = (variance of the seeds' means + mean variance within / N) / S, both
  // with divisor S and N (Davison and Hinkley, 1997, 3.8). The bounds of a
  // nearly normal statistic are 1.645 standard errors away.
  constexpr std::size_t kSeeds = 12, kPrompts = 40;
  const Scores scores = normals(kSeeds, kPrompts);
  const Effect effect =
      NestedBootstrap(kSeeds, kPrompts, {.resamples = 8000}).mean(scores);
  double between = 0, within = 0;
  for (std::size_t s = 0; s < kSeeds; ++s) {
    between += std::pow(effect.seeds[s] - effect.mean, 2) / kSeeds;
    for (const double x : scores[s])
      within += std::pow(x - effect.seeds[s], 2) / (kSeeds * kPrompts);
  }
  const double error = std::sqrt((between + within / kPrompts) / kSeeds);
  EXPECT_NEAR((effect.upper - effect.lower) / (2 * 1.645 * error), 1, 0.04);
}

TEST(NestedBootstrap, WithoutDrawnPromptsOnlySeedsVary) {
  const Scores same{{1, 5, 9}, {5, 5, 5}};
  const Effect effect =
      NestedBootstrap(2, 3, {.draw_prompts = false}).mean(same);
  EXPECT_EQ(effect.lower, 5);
  EXPECT_EQ(effect.upper, 5);
  EXPECT_LT(NestedBootstrap(2, 3).mean(same).lower, 5);
}

TEST(NestedBootstrap, RefusesWhatItCannotDraw) {
  EXPECT_THROW(NestedBootstrap(0, 3), CallerError);
  EXPECT_THROW(NestedBootstrap(1, 0), CallerError);
  EXPECT_THROW(NestedBootstrap(1, 3, {.error = 0.5}), CallerError);
  EXPECT_THROW(NestedBootstrap(2, 3).mean({{1, 2, 3}}), CallerError);
  EXPECT_THROW(NestedBootstrap(2, 3).mean({{1, 2, 3}, {1, 2}}), CallerError);
}

}  // namespace
}  // namespace moft
