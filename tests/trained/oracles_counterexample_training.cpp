// What training from samples, and training of a small network, must reach on
// the counterexample.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/trained/counterexample_training.h"
#include "tests/trained/oracles.h"

namespace moft::exact {
namespace {

void verify_reinforce(OracleBook& book) {
  constexpr int kSeeds = 20;
  int good = 0, bad_soups = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    StochasticTraining training;
    training.seed = static_cast<std::uint64_t>(seed);
    const CounterexampleFront front = measure(reinforce_together(training));
    good += front.max_regret < .06 && front.moft > .80;
    bad_soups += measure(reinforce_soup(training)).max_regret > .2;
  }
  book.at_least(
      "REINFORCE: CLP with regret below .06 and MOFT above .80, of 20 seeds",
      18,
      good);
  book.equal(
      "REINFORCE: soups with regret above .2, of 20 seeds",
      kSeeds,
      bad_soups,
      0);
}

struct Band {
  NetworkSteering steering;
  const char* name;
  double low, high;  // of MOFT, every seed
};

// Full and logits above prompting and hidden-only, those above the soup.
void verify_networks(OracleBook& book) {
  constexpr int kSeeds = 10;
  constexpr Band kBands[] = {
      {NetworkSteering::kFull, "full CLP", .806, .811},
      {NetworkSteering::kLogits, "logit CLP", .806, .811},
      {NetworkSteering::kHidden, "hidden-only CLP", .7495, .7505},
      {NetworkSteering::kPrompt, "prompting", .7495, .7505},
      {NetworkSteering::kSoup, "soup", .735, .748},
  };
  for (const Band& band : kBands) {
    int inside = 0, collapsed = 0;
    double low = 1, high = 0;
    for (int seed = 1; seed <= kSeeds; ++seed) {
      NetworkTraining training;
      training.seed = static_cast<std::uint64_t>(seed);
      const Policy3 policy = train_network(band.steering, training);
      const double moft = measure(policy).moft;
      low = std::min(low, moft);
      high = std::max(high, moft);
      inside += moft >= band.low && moft <= band.high;
      double third = 1;
      for (int i = 0; i <= 10; ++i)
        third = std::min(third, policy(i / 10.0)[2]);
      collapsed += third > .9;
    }
    book.equal(
        fmt::format(
            "network: {}, seeds of 10 with MOFT in [{}, {}] (seen {:.4f} to "
            "{:.4f})",
            band.name,
            band.low,
            band.high,
            low,
            high),
        kSeeds,
        inside,
        0);
    if (band.steering == NetworkSteering::kPrompt) {
      book.equal(
          "network: prompting gives output 3 at every weighting, of 10 seeds",
          kSeeds,
          collapsed,
          0);
    }
  }
}

}  // namespace

void verify_counterexample_training(OracleBook& book) {
  verify_reinforce(book);
  verify_networks(book);
}

}  // namespace moft::exact
