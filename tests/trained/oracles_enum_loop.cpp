// ENUM-1: the production training loop's samples against sums over all
// answers. Perturbed policies, so that copies and reference differ.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/trained/enum_recipes.h"
#include "tests/trained/oracles.h"

namespace moft::exact {
namespace {

constexpr int kBlock = 6;  // steps
constexpr int kGroups = 4;

struct LoopCase {
  ModelFamily family;
  EnumVariant variant;
  WeightingPer per;
  Baseline baseline = Baseline::kLeaveOneOut;
  KlEstimator estimator = KlEstimator::kSequence;
  Algorithm algorithm = Algorithm::kReinforce;  // GRPO's is dr_grpo
};

LoopCheck run(const LoopCase& c) {
  EnumPolicy policy(enum_policy_options(c.family, c.variant));
  policy.perturb(0.5, 7);
  TrainingOptions training;
  training.prompts_per_step = 4;
  training.samples_per_prompt = 8;
  training.weighting_per = c.per;
  training.baseline = c.baseline;
  training.kl_estimator = c.estimator;
  training.algorithm = c.algorithm;
  training.grpo.loss_type = LossType::kDrGrpo;
  SteeringDraws draws;
  draws.kl_sampler = AlphaDistribution::kInverse;
  if (reads_weights(c.variant)) {
    // Words round the weights: no smooth function of them to integrate.
    draws.weightings.sampler = WeightingDistribution::kGrid;
    draws.weightings.grid_points = 15;
  }
  return check_loop(policy, training, draws, kBlock, kGroups, 4);
}

std::string case_name(const LoopCase& c) {
  std::string name = fmt::format(
      "ENUM-1 loop {}, {}, w and alpha per {}",
      family_name(c.family),
      variant_name(c.variant),
      enum_name(c.per));
  if (c.baseline != Baseline::kLeaveOneOut)
    name += fmt::format(", baseline {}", enum_name(c.baseline));
  if (c.estimator != KlEstimator::kSequence)
    name += fmt::format(", KL {}", enum_name(c.estimator));
  if (c.algorithm != Algorithm::kReinforce)
    name += fmt::format(", {}", enum_name(c.algorithm));
  return name + ": ";
}

void verify_loop_case(OracleBook& book, const LoopCase& c) {
  const LoopCheck check = run(c);
  const std::string name = case_name(c);
  double off = 0.0;
  for (const MetricCheck& metric : check.metrics)
    off = std::max(off, metric.errors_off());
  const std::int64_t group = check.block * kBlocks;
  book.at_most(
      name + "rewards, KL and value, worst in standard errors", 4.0, off);
  book.at_most(
      fmt::format(
          "{}gradient of E[V], distance after {} steps in standard errors "
          "({:.1f}% of its length)",
          name,
          group * kGroups,
          100 * check.error_of_all / check.exact_norm),
      2.0,
      check.error_of_all / check.standard_error_of_all);
  book.equal(
      fmt::format(
          "{}gradient's distance after {} steps over that after {}",
          name,
          check.block,
          group),
      4.0,
      check.ratio(),
      1.8);
  book.equal(
      name + "sampled gradient along the exact one over its length",
      1.0,
      check.slope,
      4 * check.slope_error);
  book.at_most(
      fmt::format(
          "{}the same of each parameter, worst in standard errors ({})",
          name,
          check.worst_master),
      5.0,
      check.worst_projection);
}

}  // namespace

void verify_enum_loop(OracleBook& book) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kT5}) {
    for (const EnumVariant variant : all_enum_variants()) {
      for (const WeightingPer per :
           {WeightingPer::kBatch, WeightingPer::kPrompt})
        verify_loop_case(book, {family, variant, per});
    }
    using enum EnumVariant;
    using enum KlEstimator;
    constexpr auto kOwn = WeightingPer::kPrompt;
    verify_loop_case(book, {family, kFull, kOwn, Baseline::kValue});
    for (const KlEstimator exact : {kRewardToGo, kTokenExact})
      verify_loop_case(
          book, {family, kFull, kOwn, Baseline::kLeaveOneOut, exact});
    verify_loop_case(
        book,
        {family,
         kFull,
         kOwn,
         Baseline::kLeaveOneOut,
         kSequence,
         Algorithm::kGrpo});
  }
}

}  // namespace moft::exact
