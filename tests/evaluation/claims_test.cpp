#include "moft/evaluation/claims.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/core/random.h"

namespace moft {
namespace {

using Seeds = std::vector<std::vector<std::vector<double>>>;

// Seeds of a task whose answers are all listed: one number each.
ClaimPart exact_part(const std::vector<double>& seeds, ClaimKind kind) {
  ClaimPart part;
  part.name = "a - b";
  part.kind = kind;
  part.delta = 0.25;
  for (const double d : seeds)
    part.seeds.push_back({{d}});
  return part;
}

ClaimOutcome outcome(const std::vector<double>& seeds, ClaimKind kind) {
  return decide(exact_part(seeds, kind)).verdict;
}

// Where every number is c, both bounds are c, whatever is drawn.
TEST(Claims, ConstantDifferencesFollowTheTruthTable) {
  const auto more = ClaimKind::kMore, not_less = ClaimKind::kNotLess;
  const auto yes = ClaimOutcome::kReproduced, no = ClaimOutcome::kContradicted,
             open = ClaimOutcome::kUndecided;
  struct Row {
    double c;
    ClaimOutcome more, not_less;
  };
  const Row rows[] = {
      {0.5, yes, yes},
      {0.25, open, yes},
      {0.125, open, yes},
      {0.0, open, yes},
      {-0.125, open, yes},
      {-0.25, open, open},  // neither above nor below the bound
      {-0.5, no, no},
  };
  for (const Row& row : rows) {
    const std::vector<double> seeds(4, row.c);
    const PartVerdict part = decide(exact_part(seeds, more));
    EXPECT_EQ(part.d, row.c);
    EXPECT_EQ(part.lower, row.c);
    EXPECT_EQ(part.upper, row.c);
    EXPECT_EQ(part.standard_error, 0.0);
    EXPECT_EQ(part.verdict, row.more) << row.c;
    EXPECT_EQ(outcome(seeds, not_less), row.not_less) << row.c;
  }
}

TEST(Claims, OneReversedSeedForbidsReproduced) {
  std::vector<double> seeds(10, 2.0);
  EXPECT_EQ(outcome(seeds, ClaimKind::kMore), ClaimOutcome::kReproduced);
  seeds[3] = 0.0;
  const PartVerdict part = decide(exact_part(seeds, ClaimKind::kMore));
  EXPECT_GT(part.lower, 0.25);  // the bound alone would say yes
  EXPECT_TRUE(part.reversed);
  EXPECT_EQ(part.verdict, ClaimOutcome::kUndecided);
  // Not less allows a seed within delta, not one below it.
  seeds[3] = -0.25;
  EXPECT_EQ(outcome(seeds, ClaimKind::kNotLess), ClaimOutcome::kReproduced);
  seeds[3] = -0.26;
  EXPECT_EQ(outcome(seeds, ClaimKind::kNotLess), ClaimOutcome::kUndecided);
}

TEST(Claims, AFailedSeedCountsAsReversed) {
  ClaimPart part = exact_part({2, 2, 2}, ClaimKind::kMore);
  part.failed = 1;
  EXPECT_EQ(decide(part).verdict, ClaimOutcome::kUndecided);
}

// Three seeds 0, 0, 1: their mean is 0, 1/3, 2/3, 1 with chances 8/27, 12/27,
// 6/27, 1/27, so the 5% quantile is 0 and the 95% quantile 2/3.
TEST(Claims, ThreeSeedsFollowTheBinomial) {
  const PartVerdict part =
      decide(exact_part({0, 0, 1}, ClaimKind::kMore), {.draws = 20000});
  EXPECT_DOUBLE_EQ(part.d, 1.0 / 3);
  EXPECT_EQ(part.lower, 0.0);
  EXPECT_DOUBLE_EQ(part.upper, 2.0 / 3);
  EXPECT_NEAR(part.standard_error, std::sqrt(2.0 / 27), 0.004);
  EXPECT_EQ(part.prompt_half_width, 0.0);
}

// Var d = (Var_s mu_s + mean_s var_s / N) / S over the draws.
TEST(Claims, DrawsAreNested) {
  RandomStream random(5, Purpose::kTest, 0, 0);
  ClaimPart part;
  part.name = "a - b";
  const std::size_t prompts = 40;
  const std::vector<double> shifts = {0.0, 0.3, 0.5};
  double inside = 0;
  std::vector<double> means;
  for (const double shift : shifts) {
    std::vector<std::vector<double>> rows;
    double mean = 0, square = 0;
    for (std::size_t n = 0; n < prompts; ++n) {
      rows.push_back({shift + random.normal()});
      mean += rows.back()[0] / prompts;
      square += rows.back()[0] * rows.back()[0] / prompts;
    }
    inside += (square - mean * mean) / prompts / 3;
    means.push_back(mean);
    part.seeds.push_back(rows);
  }
  const double center = (means[0] + means[1] + means[2]) / 3;
  double between = 0;
  for (const double mean : means)
    between += (mean - center) * (mean - center) / 3;
  const PartVerdict found = decide(part, {.draws = 20000, .seed = 3});
  EXPECT_NEAR(found.d, center, 1e-12);
  EXPECT_NEAR(
      found.standard_error / std::sqrt((between + inside) / 3), 1, 0.03);
  // Prompts alone: a normal's 95% quantile times their standard error.
  EXPECT_NEAR(
      found.prompt_half_width / (1.6449 * std::sqrt(inside / 3)), 1, 0.05);
}

TEST(Claims, SameSeedSameBits) {
  ClaimPart part;
  part.name = "a - b";
  part.seeds = {{{0.1}, {0.4}, {-0.2}}, {{0.3}, {0.2}, {0.9}}};
  const PartVerdict first = decide(part, {.draws = 50, .seed = 1});
  const PartVerdict second = decide(part, {.draws = 50, .seed = 1});
  EXPECT_EQ(first.lower, second.lower);
  EXPECT_EQ(first.standard_error, second.standard_error);
  EXPECT_NE(
      first.standard_error,
      decide(part, {.draws = 50, .seed = 2}).standard_error);
}

TEST(Claims, StatisticsHaveTheirClosedForms) {
  const auto f = claim_statistic;
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kMean, {1, 2, 6}, {}), 3);
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kRatio, {1, 4}, {}), 0.25);
  EXPECT_THROW(f(ClaimStatistic::kRatio, {1, 0}, {}), CallerError);
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kAbsolute, {-1, -3}, {}), 2);
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kTau, {1, 2, 3, 4}, {0, 1, 2, 3}), 1);
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kTau, {4, 3, 2, 1}, {0, 1, 2, 3}), -1);
  // One of six pairs the other way; a constant side.
  EXPECT_DOUBLE_EQ(
      f(ClaimStatistic::kTau, {1, 2, 4, 3}, {0, 1, 2, 3}), 4.0 / 6);
  EXPECT_EQ(f(ClaimStatistic::kTau, {2, 2, 2}, {0, 1, 2}), 0);
  // Ties: 5 pairs agree, one is tied in x: 5 / sqrt(5 x 6).
  EXPECT_DOUBLE_EQ(
      f(ClaimStatistic::kTau, {1, 2, 3, 4}, {0, 0, 1, 2}),
      5.0 / std::sqrt(30.0));
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kLargestStep, {0, 1, 2, 3, 4}, {}), 0.25);
  EXPECT_DOUBLE_EQ(f(ClaimStatistic::kLargestStep, {4, 4, 1, 0}, {}), 0.75);
  EXPECT_EQ(f(ClaimStatistic::kLargestStep, {0, 3, 0.01}, {}), 1);  // flat
}

TEST(Claims, ColumnsMakeBlocksAndDifferences) {
  ClaimPart part;
  part.name = "evenness";
  part.statistic = ClaimStatistic::kLargestStep;
  part.blocks = 2;
  part.difference = true;
  part.offset = 0.5;
  part.scale = -1;
  // First: even steps (1/2) and one jump (1); second: 1/2 and 1/2.
  part.seeds = {{{0, 1, 2, 0, 0, 4, 2, 1, 0, 0, 3, 6}}};
  EXPECT_DOUBLE_EQ(decide(part).d, 0.5 - (0.75 - 0.5));
}

// The statistic is taken of a seed's means, not averaged over its prompts.
TEST(Claims, RatiosAreOfMeans) {
  ClaimPart part;
  part.name = "share";
  part.statistic = ClaimStatistic::kRatio;
  part.seeds = {{{1, 1}, {1, 3}}, {{3, 4}, {3, 4}}};
  const PartVerdict found = decide(part);
  EXPECT_DOUBLE_EQ(found.seeds[0], 0.5);
  EXPECT_DOUBLE_EQ(found.seeds[1], 0.75);
  EXPECT_DOUBLE_EQ(found.d, 0.625);
}

TEST(Claims, AbsoluteValuesAskForOneSign) {
  ClaimPart part = exact_part({2, 2, -2}, ClaimKind::kMore);
  part.statistic = ClaimStatistic::kAbsolute;
  EXPECT_EQ(decide(part).lower, 2);
  EXPECT_EQ(decide(part).verdict, ClaimOutcome::kUndecided);
  part.seeds.back()[0][0] = 2;
  EXPECT_EQ(decide(part).verdict, ClaimOutcome::kReproduced);
}

TEST(Claims, APartDecidesForTheWhole) {
  const auto part = [](double c) {
    return exact_part({c, c}, ClaimKind::kMore);
  };
  const auto verdict = [](std::vector<ClaimPart> parts) {
    return decide(Claim{"3.9", std::move(parts)}).verdict;
  };
  const auto yes = part(0.5), open = part(0.0), no = part(-0.5);
  EXPECT_EQ(verdict({yes, yes}), ClaimOutcome::kReproduced);
  EXPECT_EQ(verdict({yes, open}), ClaimOutcome::kUndecided);
  EXPECT_EQ(verdict({yes, no}), ClaimOutcome::kContradicted);
  EXPECT_EQ(verdict({open, no}), ClaimOutcome::kContradicted);
  EXPECT_EQ(verdict({open, open}), ClaimOutcome::kUndecided);
  EXPECT_THROW(decide(Claim{"3.9", {}}), CallerError);
}

TEST(Claims, NumbersThatDoNotFitAreNamed) {
  const auto message = [](ClaimPart part) {
    try {
      part.check("claims.0.parts.0.");
    } catch (const CallerError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  ClaimPart part;
  EXPECT_NE(
      message(part).find("parts.0.seeds has no numbers"), std::string::npos);
  part.seeds = {{{1}, {2}}, {{1}}};
  EXPECT_NE(message(part).find("seeds.1 has 1 prompts"), std::string::npos);
  part.seeds = {{{1}, {1, 2}}};
  EXPECT_NE(message(part).find("a prompt of 2 columns"), std::string::npos);
  part.seeds = {{{1, 2, 3}}};
  part.difference = true;
  EXPECT_NE(message(part).find("3 columns for 2 blocks"), std::string::npos);
  part.difference = false;
  part.statistic = ClaimStatistic::kTau;
  EXPECT_NE(message(part).find("order has 0 numbers"), std::string::npos);
  part.order = {0, 1, 2};
  EXPECT_EQ(message(part), "");
}

}  // namespace
}  // namespace moft
