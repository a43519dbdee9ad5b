// ENUM-1: what each algorithm of an online step reaches, as real models trained
// by the production loop. Every one of these has the optimum of the regularised
// value as its own (docs/algorithms.md), so all are held to REINFORCE's bound.
#include <string>

#include <fmt/format.h>

#include "tests/trained/enum_recipes.h"
#include "tests/trained/oracles.h"

namespace moft::exact {
namespace {

struct AlgorithmRow {
  const char* name;
  void (*choose)(TrainingOptions& training);
};

constexpr AlgorithmRow kRows[] = {
    {"REINFORCE, batch_mean",
     [](TrainingOptions& training) {
       training.baseline = Baseline::kBatchMean;
     }},
    {"REINFORCE, leave_one_out", [](TrainingOptions&) {}},
    {"GRPO, dr_grpo, not normalised",
     [](TrainingOptions& training) {
       training.algorithm = Algorithm::kGrpo;
       training.grpo.loss_type = LossType::kDrGrpo;
       training.baseline = Baseline::kGroupMean;
       training.advantage_normalisation = AdvantageNormalisation::kNone;
     }},
    {"PPO",
     [](TrainingOptions& training) {
       training.algorithm = Algorithm::kPpo;
       training.value.learning_rate = 5e-3;
     }},
    {"online DPO",
     [](TrainingOptions& training) {
       training.algorithm = Algorithm::kOnlineDpo;
     }},
};

void verify_row(OracleBook& book, ModelFamily family, const AlgorithmRow& row) {
  EnumPolicy policy(enum_policy_options(family, EnumVariant::kFull));
  EnumRecipe recipe = enum_recipe(EnumVariant::kFull, /*drawn_alpha=*/false);
  row.choose(recipe.training);
  const auto trainer = make_enum_trainer(policy, recipe.training, recipe.draws);
  for (std::int64_t step = 0; step < recipe.training.steps; ++step)
    trainer->step();
  const KlRange& range = policy.policy().kl_range();
  const Regret regret =
      regret_over(policy, enum_weightings(), enum_alphas(range, false));
  book.at_most(
      fmt::format(
          "ENUM-1 trained {}, {}: mean regret over the reference's (V* - V "
          "{:.4f} of {:.4f}, worst {:.4f})",
          family_name(family),
          row.name,
          regret.policy,
          regret.reference,
          regret.worst),
      .05,
      regret.share());
}

}  // namespace

void verify_enum_algorithms(OracleBook& book) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kT5}) {
    for (const AlgorithmRow& row : kRows)
      verify_row(book, family, row);
  }
}

}  // namespace moft::exact
