// Oracles: sampling.
#include "verify/oracles_sampling.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "moft/core/random.h"
#include "moft/weightings/sampling.h"
#include "moft/weightings/steering.h"

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

constexpr int kDraws = 200'000;

void verify_generator(OracleBook& book) {
  SplitMix64 words(1);
  book.same(
      "generator: first word of seed 1",
      "10451216379200822465",
      std::to_string(words.next_u64()));
  book.same(
      "generator: second word of seed 1",
      "13757245211066428519",
      std::to_string(words.next_u64()));
  book.equal(
      "generator: uniform", 0.5665615751722809, SplitMix64(1).uniform(), 0.0);
  book.equal(
      "generator: normal",
      -0.034267321791851144,
      SplitMix64(1).normal(),
      1e-16);
  book.equal_all(
      "generator: Dirichlet(1,1,1)",
      {.14549038823925955, .23834546749572594, .6161641442650144},
      SplitMix64(1).dirichlet1(3),
      1e-16);
}

void verify_f_mix(OracleBook& book) {
  const KlRange range(0.01);
  const Vector alphas = {.01, .02, .05, .1, .5, 1.0};
  Vector amounts;
  for (const double alpha : alphas)
    amounts.push_back(range.mixing_amount(alpha));
  book.equal_all(
      "f_mix: softmdp, alpha_min .01",
      {0,
       .505050505050505,
       .8080808080808081,
       .9090909090909092,
       .98989898989899,
       1},
      amounts,
      1e-15);
  const KlRange linear(0.01, FMix::kLinear);
  book.equal("f_mix: linear at alpha_min", .01, linear.mixing_amount(.01), 0);
  // Quantiles of the inverse sampler at .05 .25 .5 .75 .9 .95 .99.
  const Vector levels = {.05, .25, .5, .75, .9, .95, .99};
  const auto quantiles = [&](double alpha_min) {
    Vector result;
    for (const double level : levels)
      result.push_back(KlRange(alpha_min).alpha_of(level));
    return result;
  };
  book.equal_all(
      "f_mix: quantiles of alpha, alpha_min .01",
      {.010520778537611785,
       .0132890365448505,
       .019801980198019802,
       .038834951456310676,
       .09174311926605506,
       .16806722689075618,
       .5025125628140702},
      quantiles(.01),
      1e-14);
  book.equal_all(
      "f_mix: quantiles of alpha, alpha_min .1",
      {.10471204188481677,
       .12903225806451613,
       .18181818181818182,
       .3076923076923077,
       .5263157894736842,
       .6896551724137929,
       .9174311926605504},
      quantiles(.1),
      1e-14);
  double worst = 0;
  for (int i = 0; i <= 10000; ++i) {
    const double u = i / 10000.0;
    worst =
        std::max(worst, std::abs(range.mixing_amount(range.alpha_of(u)) - u));
  }
  book.at_most("f_mix: inverse, largest error", 1e-14, worst);
}

// Density alpha_min / ((1 - alpha_min) alpha^2): its mean, its standard
// deviation for the tolerance, and f_mix of the draws uniform.
void verify_alpha_draws(OracleBook& book) {
  const KlRange range(0.01);
  const AlphaSampler sampler(AlphaDistribution::kInverse, range);
  RandomStream stream(1, Purpose::kTest);
  double mean = 0;
  Vector amounts;
  for (int i = 0; i < kDraws; ++i) {
    const double alpha = sampler.draw(stream);
    mean += alpha / kDraws;
    amounts.push_back(range.mixing_amount(alpha));
  }
  const double deviation = std::sqrt(.007836180752789145 / kDraws);
  book.equal("alpha draws: mean", .046516870565536286, mean, 5 * deviation);
  std::sort(amounts.begin(), amounts.end());
  double gap = 0;
  for (int i = 0; i < kDraws; ++i) {
    gap = std::max(gap, std::abs(amounts[i] - (i + 0.5) / kDraws));
  }
  // Kolmogorov-Smirnov at the level of one in a thousand.
  book.at_most(
      "alpha draws: f_mix uniform, largest gap",
      1.95 / std::sqrt(static_cast<double>(kDraws)),
      gap);
}

struct DirichletRow {
  int objectives;
  double concentration;
  double variance;      // of one weight
  double corner_share;  // P(max w > .9)
};

void verify_weightings(OracleBook& book) {
  constexpr DirichletRow kRows[] = {
      {2, 1.0, .08333333333333333, .2},
      {2, 0.3, .15625, .564},
      {3, 1.0, .05555555555555555, .03},
      {3, 0.3, .1169590643274854, .309},
  };
  for (const DirichletRow& row : kRows) {
    const Vector concentration(row.objectives, row.concentration);
    RandomStream stream(2, Purpose::kTest);
    double mean = 0, square = 0, fourth = 0, corners = 0;
    const double centre = 1.0 / row.objectives;
    for (int i = 0; i < kDraws; ++i) {
      const Weighting w = sample_dirichlet(concentration, stream);
      const double off = w[0] - centre;
      mean += w[0] / kDraws;
      square += off * off / kDraws;
      fourth += off * off * off * off / kDraws;
      const Vector& values = w.values();
      corners += *std::max_element(values.begin(), values.end()) > .9;
    }
    const std::string name = fmt::format(
        "Dirichlet({}), m = {}: ", row.concentration, row.objectives);
    const double root = std::sqrt(static_cast<double>(kDraws));
    book.equal(name + "mean", centre, mean, 5 * std::sqrt(row.variance) / root);
    book.equal(
        name + "variance",
        row.variance,
        square,
        5 * std::sqrt(fourth - square * square) / root);
    const double p = row.corner_share;
    // .0015: the notes give two of the shares to three digits.
    book.equal(
        name + "P(max w > .9)",
        p,
        corners / kDraws,
        5 * std::sqrt(p * (1 - p)) / root + .0015);
  }
}

}  // namespace

void verify_sampling(OracleBook& book) {
  verify_generator(book);
  verify_f_mix(book);
  verify_alpha_draws(book);
  verify_weightings(book);
}

}  // namespace moft::exact
