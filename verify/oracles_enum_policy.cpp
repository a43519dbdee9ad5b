// Oracles: enum policy.
#include "verify/oracles_enum_policy.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "verify/enum_variants.h"

namespace moft::exact {
namespace {

// Corners, an edge, the middle, an odd one, over the KL range and both ends.
std::vector<Steering> test_steerings(const KlRange& range) {
  return {
      {Weighting::corner(3, 0), range.alpha_min()},
      {Weighting({0.5, 0.5, 0.0}), range.alpha_min()},
      {Weighting::uniform(3), range.alpha_of(0.3)},
      {Weighting({0.17, 0.22, 0.61}), range.alpha_of(0.8)},
      {Weighting::corner(3, 2), 1.0}};
}

void verify_beginning(
    OracleBook& book, const EnumPolicy& policy, const std::string& name) {
  double kl = 0.0, regret = 0.0;
  for (const Steering& steering : test_steerings(KlRange(0.1))) {
    const EnumScore score = policy.score(steering);
    kl = std::max({kl, score.kl, score.token_kl});
    regret = std::max(
        regret, std::abs(score.regret - policy.reference_regret(steering)));
  }
  book.equal_all(
      name + ": KL to the reference and regret less the reference's, untrained",
      {0.0, 0.0},
      {kl, regret},
      0.0);
}

// float32 log-probabilities: their rounding is what the tolerances allow.
void verify_identities(
    OracleBook& book, const EnumPolicy& policy, const std::string& name) {
  double mass = 0.0, lemma = 0.0, chain = 0.0, kl = 0.0;
  for (const Steering& steering : test_steerings(KlRange(0.1))) {
    const EnumScore score = policy.score(steering);
    mass = std::max(mass, score.mass_error);
    lemma = std::max(
        lemma, std::abs(score.optimal_value - score.value - score.regret));
    chain = std::max(chain, std::abs(score.token_kl - score.kl));
    kl = std::max(kl, score.kl);
  }
  book.at_most(name + ": probabilities sum to 1", 1e-6, mass);
  book.at_most(
      name + ": V* - V = alpha KL(pi || pi*), perturbed copies", 1e-6, lemma);
  book.at_most(
      fmt::format(
          "{}: KL (up to {:.2f}) is the sum of its tokens' KL", name, kl),
      1e-6,
      chain);
}

}  // namespace

void verify_enum_policy(OracleBook& book) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kT5}) {
    for (const EnumVariant variant : all_enum_variants()) {
      EnumPolicy policy(enum_policy_options(family, variant));
      const std::string name = fmt::format(
          "ENUM-1 {}, {}", family_name(family), variant_name(variant));
      if (!reads_weights(variant)) verify_beginning(book, policy, name);
      policy.perturb(0.5, 7);
      verify_identities(book, policy, name);
      // The other variants also changed parameters that all weightings share.
      if (variant == EnumVariant::kFull || variant == EnumVariant::kLora) {
        book.equal(
            name + ": KL at alpha 1, perturbed copies",
            0.0,
            policy.score({Weighting::uniform(3), 1.0}).kl,
            0.0);
      }
    }
  }
}

}  // namespace moft::exact
