// ENUM-1: what policies of real models reach, trained by the production loop,
// and what the theory says about them.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/trained/enum_recipes.h"
#include "tests/trained/oracles.h"
#include "tests/trained/theory_report.h"
#include "verify/enum_text.h"

namespace moft::exact {
namespace {

struct TrainedRow {
  EnumVariant variant;
  bool drawn_alpha;
  double bound;  // of the regret over the reference's
};

constexpr TrainedRow kRows[] = {
    {EnumVariant::kFull, false, .05},
    {EnumVariant::kAttention, false, .05},
    {EnumVariant::kFull, true, .05},
    {EnumVariant::kAttention, true, .05},
    {EnumVariant::kPattern, false, .5},
    {EnumVariant::kLogits, false, .5},
    {EnumVariant::kLora, false, .5},
    {EnumVariant::kPrompt, false, .9},
    {EnumVariant::kAttentionPrompt, false, .5},
};

void verify_theory_of(
    OracleBook& book, const EnumPolicy& policy, const std::string& name) {
  const auto names = enum_objective_names();
  const auto rows = theory_report(policy);
  double worst = 0.0;
  for (const TheoryRow& row : rows) {
    const MixtureReport& mixture = row.mixture;
    for (const double bound :
         {mixture.corrected, mixture.theorem1, mixture.theorem2})
      worst = std::max(worst, mixture.gap / bound);
  }
  book.at_most(
      name + ": gaps of its corners' mixtures over every bound, worst of 36",
      1.0,
      worst);
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t j = i + 1; j < names.size(); ++j) {
      const TheorySummary sum = summarise(rows, i, j, 0.5);
      book.at_most(
          fmt::format(
              "{}: half {}, half {}, regret {:.5f}; mixture of the corners (C "
              "{:.1e}, theorem 1 {:.1e}, theorem 2 {:.1e}, corrected bound)",
              name,
              names[i],
              names[j],
              sum.conditioned_regret,
              sum.coverage,
              sum.theorem1,
              sum.theorem2),
          sum.corrected,
          sum.gap);
    }
  }
}

void verify_row(OracleBook& book, ModelFamily family, const TrainedRow& row) {
  EnumPolicy policy(enum_policy_options(family, row.variant));
  const EnumRecipe recipe = enum_recipe(row.variant, row.drawn_alpha);
  const auto trainer = make_enum_trainer(policy, recipe.training, recipe.draws);
  for (std::int64_t step = 0; step < recipe.training.steps; ++step)
    trainer->step();
  const KlRange& range = policy.policy().kl_range();
  const Regret regret = regret_over(
      policy, enum_weightings(), enum_alphas(range, row.drawn_alpha));
  const std::string name = fmt::format(
      "ENUM-1 trained {}, {}, {}",
      family_name(family),
      variant_name(row.variant),
      row.drawn_alpha ? "w and alpha drawn" : "w drawn");
  book.at_most(
      fmt::format(
          "{}: mean regret over the reference's (V* - V {:.4f} of {:.4f}, "
          "worst {:.4f})",
          name,
          regret.policy,
          regret.reference,
          regret.worst),
      row.bound,
      regret.share());
  if (!row.drawn_alpha && row.variant == EnumVariant::kFull)
    verify_theory_of(book, policy, name);
}

}  // namespace

void verify_enum_training(OracleBook& book) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kT5}) {
    for (const TrainedRow& row : kRows)
      verify_row(book, family, row);
  }
}

}  // namespace moft::exact
