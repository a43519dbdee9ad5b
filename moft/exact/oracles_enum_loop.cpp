// ENUM-1: the production training loop's samples against sums over all
// answers. Perturbed policies, so that copies and reference differ.
#include <string>

#include <fmt/format.h>

#include "moft/exact/enum_variants.h"
#include "moft/exact/oracle.h"

namespace moft::exact {
namespace {

struct LoopCase {
  ModelFamily family;
  EnumVariant variant;
  WeightingPer per;
  std::int64_t block;
};

LoopCheck run(const LoopCase& c) {
  EnumPolicy policy(enum_policy_options(c.family, c.variant));
  policy.perturb(0.5, 7);
  TrainingOptions training;
  training.prompts_per_step = 4;
  training.samples_per_prompt = 8;
  training.weighting_per = c.per;
  SteeringDraws draws;
  draws.kl_sampler = AlphaDistribution::kInverse;
  if (reads_weights(c.variant)) {
    // Words round the weights: no smooth function of them to integrate.
    draws.weightings.sampler = WeightingDistribution::kGrid;
    draws.weightings.grid_points = 15;
  }
  return check_loop(policy, training, draws, c.block, 5);
}

void verify_loop_case(OracleBook& book, const LoopCase& c) {
  const LoopCheck check = run(c);
  const std::string name = fmt::format(
      "ENUM-1 loop {}, {}, w and alpha per {}",
      family_name(c.family),
      variant_name(c.variant),
      enum_name(c.per));
  double off = 0.0;
  for (const MetricCheck& metric : check.metrics)
    off = std::max(off, metric.errors_off());
  book.at_most(
      name + ": rewards, KL and value, errors in standard errors", 4.0, off);
  const auto steps = check.block * kBlocks;
  book.at_most(
      fmt::format(
          "{}: gradient of E[V], error after {} steps in standard errors "
          "({:.1f}% of its norm)",
          name,
          steps,
          100 * check.error_of_all / check.exact_norm),
      1.6,
      check.error_of_all / check.standard_error_of_all);
  book.equal(
      fmt::format(
          "{}: gradient's error after {} steps over that after {}",
          name,
          check.block,
          steps),
      4.0,
      check.ratio(),
      1.6);
  book.at_most(
      fmt::format(
          "{}: gradient along each exact one, worst in standard errors ({})",
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
        verify_loop_case(book, {family, variant, per, 25});
    }
  }
}

}  // namespace moft::exact
