// ENUM-1 trained by the production loop (moft/training/online.h), and that
// loop's samples held against what enumeration says.
//
// Thread safety: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "moft/training/online.h"
#include "moft/weightings/weighting_options.h"

#include "tests/trained/enum_gradient.h"

namespace moft::exact {

// What a step draws its steerings from.
struct SteeringDraws {
  WeightingOptions weightings;
  AlphaDistribution kl_sampler = AlphaDistribution::kFixed;
};

// Nodes and shares that sum a smooth function to its mean over what a trainer
// of `policy` draws: exact for
// grid and fixed weightings; Gauss-Legendre with `nodes` points per dimension
// for Dirichlet(1, 1, 1) and for drawn KL strengths. CallerError for any other
// distribution.
std::vector<WeightedSteering> steering_nodes(
    const SteeredPolicy& policy, const SteeringDraws& draws, int nodes);

// A trainer of the policy on the four prompts, rewards from the task.
// `draws.kl_sampler` and max_new_tokens (3) replace what `training` says.
// `policy` must outlive it.
std::unique_ptr<OnlineTrainer> make_enum_trainer(
    EnumPolicy& policy, TrainingOptions training, const SteeringDraws& draws);

// ---- samples against sums --------------------------------------------------

// A metric of the loop, averaged over its steps, and what it estimates.
struct MetricCheck {
  std::string name;
  double exact = 0.0;
  double mean = 0.0;
  double standard_error = 0.0;  // of the mean, from the steps' spread

  double errors_off() const;  // |mean - exact| / standard_error
};

struct LoopCheck {
  std::vector<MetricCheck> metrics;  // rewards, kl, value
  // The mean gradient of a block of `block` steps, and of a group of 16 blocks,
  // against the exact one: root mean squares of the Euclidean distance over
  // all trained masters. An unbiased estimate has
  // error_of_block / error_of_group = 4 up to chance.
  std::int64_t block = 0;
  double exact_norm = 0.0;
  double error_of_block = 0.0;
  double error_of_group = 0.0;
  double error_of_all = 0.0;           // of the mean of all steps
  double standard_error_of_all = 0.0;  // from the steps' spread
  // <mean, exact> / |exact|^2, which is 1 for an unbiased estimate, and its
  // standard error.
  double slope = 0.0;
  double slope_error = 0.0;
  // Over the masters: the largest distance between mean and exact gradient
  // along the exact one, in standard errors.
  double worst_projection = 0.0;
  std::string worst_master;

  double ratio() const { return error_of_block / error_of_group; }
};

inline constexpr int kBlocks = 16;  // of a group

// Runs `groups` groups of 16 `block` steps of the loop at learning rate 0 from
// the policy as it is: gradients as the optimizer would get them. Advantages
// are left as they are (no normalisation, no clipping). `nodes` as in
// steering_nodes.
LoopCheck check_loop(
    EnumPolicy& policy,
    TrainingOptions training,
    const SteeringDraws& draws,
    std::int64_t block,
    int groups,
    int nodes);

// ---- what training reaches -------------------------------------------------

struct Regret {
  double policy = 0.0;     // mean of V* - V
  double reference = 0.0;  // the same of the reference
  double worst = 0.0;      // largest V* - V
  double share() const { return policy / reference; }
};

// Means over every weighting of `weightings` at every KL strength.
Regret regret_over(
    const EnumPolicy& policy,
    const std::vector<Weighting>& weightings,
    const std::vector<double>& alphas);

}  // namespace moft::exact
