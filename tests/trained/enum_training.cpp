// The production loop on ENUM-1, against enumeration.
#include "tests/trained/enum_training.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "moft/core/errors.h"
#include "moft/weightings/grid.h"

#include "verify/enum_text.h"

namespace moft::exact {
namespace {

struct Node {
  double x, share;  // in (0, 1); shares sum to 1
};

// Gauss-Legendre on (0, 1): roots of the Legendre polynomial by Newton.
std::vector<Node> gauss_legendre(int n) {
  std::vector<Node> nodes;
  for (int i = 1; i <= n; ++i) {
    double z = std::cos(M_PI * (i - 0.25) / (n + 0.5));
    double slope = 1.0;
    for (int round = 0; round < 100; ++round) {
      double p = 1.0, before = 0.0;
      for (int k = 1; k <= n; ++k) {
        const double next = ((2 * k - 1) * z * p - (k - 1) * before) / k;
        before = std::exchange(p, next);
      }
      slope = n * (z * p - before) / (z * z - 1.0);
      const double change = p / slope;
      z -= change;
      if (std::abs(change) < 1e-15) break;
    }
    nodes.push_back({0.5 * (1.0 + z), 1.0 / ((1.0 - z * z) * slope * slope)});
  }
  return nodes;
}

struct WeightedWeighting {
  Weighting w;
  double share;
};

// The triangle as a folded square: w = (x, (1-x) y, (1-x)(1-y)), whose area
// element is (1-x).
std::vector<WeightedWeighting> triangle(int n) {
  std::vector<WeightedWeighting> result;
  for (const Node& a : gauss_legendre(n)) {
    for (const Node& b : gauss_legendre(n)) {
      const double rest = 1.0 - a.x;
      result.push_back(
          {Weighting({a.x, rest * b.x, rest * (1.0 - b.x)}),
           2.0 * rest * a.share * b.share});
    }
  }
  return result;
}

std::vector<WeightedWeighting> weighting_nodes(
    const WeightingOptions& options,
    const std::vector<std::string>& names,
    int nodes) {
  const auto evenly = [](const std::vector<Weighting>& points) {
    std::vector<WeightedWeighting> result;
    for (const Weighting& w : points)
      result.push_back({w, 1.0 / static_cast<double>(points.size())});
    return result;
  };
  switch (options.sampler) {
    case WeightingDistribution::kFixed:
      return evenly({weighting_from_map(options.weights, names)});
    case WeightingDistribution::kGrid:
      return evenly(simplex_cover(
          names.size(), static_cast<std::size_t>(options.grid_points)));
    case WeightingDistribution::kDirichlet:
      break;
  }
  if (names.size() != 3 || options.concentration != 1.0 ||
      !options.concentrations.empty() || options.corner_probability != 0.0) {
    throw_caller_error(
        "steering_nodes: only Dirichlet(1, 1, 1) can be integrated here; give "
        "concentration 1 and no corners");
  }
  return triangle(nodes);
}

std::vector<std::pair<double, double>> alpha_nodes(
    const SteeredPolicy& policy, AlphaDistribution kind, int nodes) {
  if (kind == AlphaDistribution::kFixed) return {{policy.default_alpha(), 1.0}};
  const double low = policy.kl_range().alpha_min();
  std::vector<std::pair<double, double>> result;
  for (const Node& node : gauss_legendre(nodes)) {
    const double alpha = kind == AlphaDistribution::kUniform
                             ? low + (1.0 - low) * node.x
                             : low / (low * node.x + 1.0 - node.x);
    result.emplace_back(alpha, node.share);
  }
  return result;
}

// Sums over steps of one number.
struct Moments {
  double sum = 0.0, squares = 0.0;
  void add(double x) {
    sum += x;
    squares += x * x;
  }
  double mean(double n) const { return sum / n; }
  double error_of_mean(double n) const {
    return std::sqrt(
        std::max(0.0, squares / n - mean(n) * mean(n)) / (n - 1.0));
  }
};

double dot_of(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum().item<double>();
}

// What all steps' gradients add up to, per master.
class GradientSums {
 public:
  explicit GradientSums(Gradients exact) : exact_(std::move(exact)) {}

  void add(const Gradients& step) {
    for (const auto& [name, gradient] : step) {
      Sum& sum = sums_[name];
      sum.block = add_to(sum.block, gradient);
      sum.squares = add_to(sum.squares, gradient.square());
    }
    double whole = 0.0;
    for (const auto& [name, exact] : exact_) {
      const auto found = step.find(name);
      const double along =
          found == step.end() ? 0.0 : dot_of(found->second, exact);
      projections_[name].add(along);
      whole += along;
    }
    whole_.add(whole);
  }

  // |mean - exact|^2 of a block, which joins its group; the same of a group,
  // which joins the total.
  double close_block(double steps) {
    return close(&Sum::block, &Sum::group, steps);
  }
  double close_group(double steps) {
    return close(&Sum::group, &Sum::total, steps);
  }

  void finish(double steps, LoopCheck& check) const {
    double distance = 0.0, variance = 0.0, exact = 0.0;
    for (const auto& [name, sum] : sums_) {
      const at::Tensor mean = sum.total / steps;
      distance += square_distance(name, mean);
      variance += (sum.squares / steps - mean.square()).sum().item<double>();
    }
    for (const auto& [name, gradient] : exact_) {
      const double norm = dot_of(gradient, gradient);
      exact += norm;
      const Moments& along = projections_.at(name);
      const double off = std::abs(along.mean(steps) - norm) /
                         std::max(along.error_of_mean(steps), 1e-300);
      if (norm == 0.0 || off <= check.worst_projection) continue;
      check.worst_projection = off;
      check.worst_master = name;
    }
    check.exact_norm = std::sqrt(exact);
    check.slope = whole_.mean(steps) / exact;
    check.slope_error = whole_.error_of_mean(steps) / exact;
    check.error_of_all = std::sqrt(distance);
    check.standard_error_of_all = std::sqrt(variance / (steps - 1.0));
  }

 private:
  struct Sum {
    at::Tensor block, group, total, squares;
  };
  double close(at::Tensor Sum::*part, at::Tensor Sum::*whole, double steps) {
    double distance = 0.0;
    for (auto& [name, sum] : sums_) {
      const at::Tensor mean = (sum.*part).defined()
                                  ? sum.*part / steps
                                  : at::zeros_like(sum.squares);
      distance += square_distance(name, mean);
      if ((sum.*part).defined()) sum.*whole = add_to(sum.*whole, sum.*part);
      sum.*part = at::Tensor();
    }
    return distance;
  }
  static at::Tensor add_to(const at::Tensor& sum, const at::Tensor& more) {
    return sum.defined() ? sum + more : more.clone();
  }
  double square_distance(
      const std::string& name, const at::Tensor& mean) const {
    const auto found = exact_.find(name);
    const at::Tensor difference =
        found == exact_.end() ? mean : mean - found->second;
    return dot_of(difference, difference);
  }

  Gradients exact_;
  std::map<std::string, Sum> sums_;
  std::map<std::string, Moments> projections_;
  Moments whole_;
};

std::vector<MetricCheck> exact_metrics(
    const EnumPolicy& policy, const std::vector<WeightedSteering>& nodes) {
  const auto names = enum_objective_names();
  std::vector<MetricCheck> checks;
  for (const std::string& name : names)
    checks.push_back({"rewards/" + name + "/mean"});
  checks.push_back({"kl"});
  checks.push_back({"reward"});  // KL included: the value
  for (const auto& [steering, share] : nodes) {
    const PolicyScore score = policy.score(steering);
    for (std::size_t i = 0; i < names.size(); ++i)
      checks[i].exact += share * score.rewards[i];
    checks[names.size()].exact += share * score.kl;
    checks[names.size() + 1].exact += share * score.value;
  }
  return checks;
}

// What the loop's gradient is of that of E[V]: it minimises, and dr_grpo
// divides by the longest completion.
double loop_factor(const TrainingOptions& training) {
  const bool dr_grpo = training.algorithm == Algorithm::kGrpo &&
                       training.grpo.loss_type == LossType::kDrGrpo;
  return dr_grpo ? -1.0 / kEnumMaxTokens : -1.0;
}

Gradients scaled(Gradients gradients, double factor) {
  for (auto& [name, gradient] : gradients)
    gradient = gradient * factor;
  return gradients;
}

}  // namespace

std::vector<WeightedSteering> steering_nodes(
    const SteeredPolicy& policy, const SteeringDraws& draws, int nodes) {
  const auto alphas = alpha_nodes(policy, draws.kl_sampler, nodes);
  std::vector<WeightedSteering> result;
  for (const auto& [w, share] :
       weighting_nodes(draws.weightings, policy.names(), nodes)) {
    for (const auto& [alpha, part] : alphas)
      result.push_back({{w, alpha}, share * part});
  }
  return result;
}

std::unique_ptr<OnlineTrainer> make_enum_trainer(
    EnumPolicy& policy, TrainingOptions training, const SteeringDraws& draws) {
  training.max_new_tokens = kEnumMaxTokens;
  training.kl_strength = policy.policy().default_alpha();
  training.kl_sampler = draws.kl_sampler;
  TrainerInputs inputs;
  inputs.policy = &policy.policy();
  inputs.objectives = &policy.objectives();
  inputs.examples = &policy.examples();
  if (training.has_value_network())
    inputs.value_model = make_enum_model(policy.options()).model;
  return std::make_unique<OnlineTrainer>(
      inputs,
      training,
      make_weighting_sampler(
          draws.weightings, policy.policy().names(), "ENUM-1"));
}

double MetricCheck::errors_off() const {
  return std::abs(mean - exact) / std::max(standard_error, 1e-300);
}

LoopCheck check_loop(
    EnumPolicy& policy,
    TrainingOptions training,
    const SteeringDraws& draws,
    std::int64_t block,
    int groups,
    int nodes) {
  training.steps = block * kBlocks * groups;
  training.optimizer.learning_rate = 0.0;
  training.gradient_clip.reset();
  training.advantage_normalisation = AdvantageNormalisation::kNone;
  const auto quadrature = steering_nodes(policy.policy(), draws, nodes);
  LoopCheck check;
  check.block = block;
  check.metrics = exact_metrics(policy, quadrature);
  GradientSums sums(
      scaled(value_gradient(policy, quadrature), loop_factor(training)));
  const auto trainer = make_enum_trainer(policy, training, draws);
  std::vector<Moments> moments(check.metrics.size());
  double block_errors = 0.0, group_errors = 0.0;
  const auto steps_of_block = static_cast<double>(block);
  for (std::int64_t step = 1; step <= training.steps; ++step) {
    const StepResult result = trainer->step();
    for (std::size_t m = 0; m < moments.size(); ++m)
      moments[m].add(result.metrics.at(check.metrics[m].name));
    sums.add(current_gradients(*policy.policy().conditioning()));
    if (step % block == 0) block_errors += sums.close_block(steps_of_block);
    if (step % (block * kBlocks) == 0)
      group_errors += sums.close_group(steps_of_block * kBlocks);
  }
  const auto steps = static_cast<double>(training.steps);
  check.error_of_block = std::sqrt(block_errors / (groups * kBlocks));
  check.error_of_group = std::sqrt(group_errors / groups);
  sums.finish(steps, check);
  for (std::size_t m = 0; m < moments.size(); ++m) {
    check.metrics[m].mean = moments[m].mean(steps);
    check.metrics[m].standard_error = moments[m].error_of_mean(steps);
  }
  return check;
}

Regret regret_over(
    const EnumPolicy& policy,
    const std::vector<Weighting>& weightings,
    const std::vector<double>& alphas) {
  Regret regret;
  const double share =
      1.0 / static_cast<double>(weightings.size() * alphas.size());
  for (const Weighting& w : weightings) {
    for (const double alpha : alphas) {
      const double loss = regret_of(policy, {w, alpha});
      regret.policy += share * loss;
      regret.worst = std::max(regret.worst, loss);
      regret.reference += share * policy.reference_regret({w, alpha});
    }
  }
  return regret;
}

}  // namespace moft::exact
