// Methods, their paired differences and their ledgers.
#include "moft/evaluation/comparison.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/evaluation/front_figures.h"
#include "moft/evaluation/nested_bootstrap.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

using Numbers = std::vector<double>;

struct RunView {
  std::string name;
  const std::vector<FrontPoint>* points;
  RunCost cost;
};

struct Method {
  std::string name;
  std::vector<RunView> runs;
};

RunView view(
    const std::string& name,
    const std::vector<FrontPoint>& points,
    const std::optional<RunCost>& cost,
    const std::optional<PolicyFacts>& facts) {
  RunView run{name, &points, cost.value_or(RunCost{})};
  if (!run.cost.answers && facts && facts->answers)
    run.cost.answers = static_cast<double>(*facts->answers);
  return run;
}

std::vector<RunView> runs_of(const Report& report, const std::string& policy) {
  std::vector<RunView> runs{
      view(policy, report.points, report.run_cost, report.policy)};
  for (const BaselinePolicy& other : report.baselines)
    runs.push_back(
        view(other.name, other.points, other.run_cost, other.policy));
  return runs;
}

// The policy's method first, then in the order of their first runs.
std::vector<Method> methods_of(
    const std::vector<RunView>& runs, const CompareOptions& options) {
  std::set<std::string> taken;
  std::vector<Method> named;
  for (const MethodRuns& given : options.methods) {
    Method& method = named.emplace_back(Method{given.name, {}});
    for (const std::string& name : given.runs) {
      const auto found =
          std::find_if(runs.begin(), runs.end(), [&](const RunView& run) {
            return run.name == name;
          });
      if (found == runs.end() || !taken.insert(name).second) {
        throw_caller_error(
            "method {}: run {} {}; name each evaluated run in one method at "
            "most",
            given.name,
            name,
            found == runs.end() ? "was not evaluated"
                                : "is in a method already");
      }
      method.runs.push_back(*found);
    }
    if (method.runs.empty()) {
      throw_caller_error(
          "method {} has no runs; name one for each training seed", given.name);
    }
  }
  std::set<std::string> names;
  std::vector<Method> methods;
  for (const RunView& run : runs) {
    if (!taken.contains(run.name)) {
      methods.push_back({run.name, {run}});
      continue;
    }
    for (Method& method : named) {
      const bool here = std::any_of(
          method.runs.begin(), method.runs.end(), [&](const RunView& one) {
            return one.name == run.name;
          });
      if (here) methods.push_back(std::exchange(method, {}));
    }
  }
  for (const Method& method : methods) {
    if (names.insert(method.name).second) continue;
    throw_caller_error(
        "two methods are called {}; give each a name of its own", method.name);
  }
  if (!options.bank.empty() && !names.contains(options.bank)) {
    throw_caller_error(
        "the bank {} is not among the methods; give the name of one",
        options.bank);
  }
  return methods;
}

// ---- Means over a method's seeds
// ---------------------------------------------

template <class Get>
std::optional<double> mean_known(const std::vector<RunView>& runs, Get get) {
  double sum = 0;
  for (const RunView& run : runs) {
    const std::optional<double>& x = run.cost.*get;
    if (!x) return std::nullopt;
    sum += *x;
  }
  return sum / static_cast<double>(runs.size());
}

RunCost mean_cost(const std::vector<RunView>& runs) {
  RunCost cost;
  for (const auto part :
       {&RunCost::answers,
        &RunCost::parameters,
        &RunCost::share,
        &RunCost::passes,
        &RunCost::tokens_per_second,
        &RunCost::gradient_tokens,
        &RunCost::seconds})
    cost.*part = mean_known(runs, part);
  return cost;
}

void add_share(
    std::optional<double>& sum, const std::optional<double>& x, double share) {
  if (x) sum = sum.value_or(0) + share * *x;
}

FrontFigures mean_figures(
    const std::vector<RunView>& runs,
    const std::vector<std::string>& objectives) {
  FrontFigures mean;
  const double share = 1.0 / static_cast<double>(runs.size());
  for (const RunView& run : runs) {
    const FrontFigures own = front_figures(*run.points, objectives);
    mean.mean_value += share * own.mean_value;
    mean.mean_reward += share * own.mean_reward;
    mean.reach += share * own.reach;
    for (const auto& [name, tau] : own.kendall)
      mean.kendall[name] += share * tau;
    add_share(mean.largest_step, own.largest_step, share);
    mean.value_hypervolume += share * own.value_hypervolume;
    add_share(mean.value_hull_hypervolume, own.value_hull_hypervolume, share);
    mean.value_reference_point = own.value_reference_point;
  }
  return mean;
}

// ---- A pair of methods
// -------------------------------------------------------

// One weighting that both sides have in every seed.
struct Common {
  double alpha;                          // the policy's
  std::vector<const FrontPoint*> own;    // [seeds]
  std::vector<const FrontPoint*> rival;  // [seeds]
};

std::vector<Common> common_points(
    const Method& own, const Method& rival, std::size_t seeds) {
  std::vector<Common> all;
  for (const FrontPoint& point : *own.runs.front().points) {
    Common common{point.alpha, {}, {}};
    for (std::size_t s = 0; s < seeds; ++s) {
      const FrontPoint* a = rival_of(point, *own.runs[s].points);
      const FrontPoint* b = rival_of(point, *rival.runs[s].points);
      if (a == nullptr || b == nullptr) break;
      common.own.push_back(a);
      common.rival.push_back(b);
    }
    if (common.own.size() == seeds) all.push_back(std::move(common));
  }
  return all;
}

void add_scaled(Numbers& sum, const Numbers& x, double scale) {
  if (sum.empty()) sum.assign(x.size(), 0.0);
  for (std::size_t n = 0; n < x.size(); ++n)
    sum[n] += scale * x.at(n);
}

using PerPoint = std::function<Numbers(const FrontPoint&, double alpha)>;

Numbers value_at(const FrontPoint& point, double alpha) {
  return values_per_prompt(point.per_prompt, point.weights, alpha);
}

Numbers reward_at(const FrontPoint& point, double) {
  return values_per_prompt(
      {point.per_prompt.rewards, {}}, point.weights, /*alpha=*/0);
}

// Differences of one figure, [seeds][prompts]: the mean over these points.
std::vector<Numbers> differences(
    const std::vector<const Common*>& points,
    std::size_t seeds,
    const PerPoint& figure) {
  std::vector<Numbers> result(seeds);
  const double share = 1.0 / static_cast<double>(points.size());
  for (std::size_t s = 0; s < seeds; ++s) {
    for (const Common* point : points) {
      add_scaled(result[s], figure(*point->own[s], point->alpha), share);
      add_scaled(result[s], figure(*point->rival[s], point->alpha), -share);
    }
  }
  return result;
}

// Reach of every prompt: the mean over the objectives of the reward at the
// knob's upper end minus that at its lower end.
std::vector<Numbers> reach_differences(
    const std::vector<Common>& points,
    std::size_t seeds,
    const Report& report) {
  std::vector<Numbers> result(seeds);
  const auto m = static_cast<double>(report.objectives.size());
  for (const std::string& name : report.objectives) {
    Numbers knob;
    for (const Common& point : points)
      knob.push_back(knob_value(report, *point.own.front(), name));
    const auto [low, high] = std::minmax_element(knob.begin(), knob.end());
    for (const auto& [place, sign] : {std::pair(*high, 1.0), {*low, -1.0}}) {
      const auto is_there = [place = place](double x) {
        return std::abs(x - place) <= 1e-9;
      };
      const auto count = static_cast<double>(
          std::count_if(knob.begin(), knob.end(), is_there));
      for (std::size_t k = 0; k < points.size(); ++k) {
        if (!is_there(knob[k])) continue;
        for (std::size_t s = 0; s < seeds; ++s) {
          const auto scores = [&](const FrontPoint* point) -> const Numbers& {
            return point->per_prompt.rewards.at(name);
          };
          add_scaled(result[s], scores(points[k].own[s]), sign / (count * m));
          add_scaled(
              result[s], scores(points[k].rival[s]), -sign / (count * m));
        }
      }
    }
  }
  return result;
}

double mean_value(const std::vector<const FrontPoint*>& seeds, double alpha) {
  double sum = 0;
  double count = 0;
  for (const FrontPoint* point : seeds) {
    for (const double x : value_at(*point, alpha)) {
      sum += x;
      count += 1;
    }
  }
  return sum / count;
}

void compare_weightings(
    ComparedPair& pair,
    const std::vector<Common>& points,
    const NestedBootstrap& bootstrap) {
  double largest = -std::numeric_limits<double>::infinity();
  double smallest = -largest;
  for (const Common& point : points) {
    ComparedWeighting& here = pair.weightings.emplace_back();
    here.weights = point.own.front()->weights;
    here.alpha = point.alpha;
    here.value = bootstrap.mean(differences({&point}, pair.seeds, value_at));
    const double rival = mean_value(point.rival, point.alpha);
    if (rival != 0) here.bar = -here.value.mean / std::abs(rival);
    if (here.value.lower > 0) ++pair.won;
    if (here.value.upper < 0) ++pair.lost;
    smallest = std::min(smallest, here.value.lower);
    largest = std::max(largest, here.value.upper);
  }
  pair.tied = points.size() - pair.won - pair.lost;
  pair.smallest_bound = smallest;
  pair.dominates = smallest > 0;
  pair.dominated = largest < 0;
}

void compare_ledgers(
    ComparedPair& pair, const Method& own, const Method& rival) {
  const auto here = mean_cost(own.runs).answers;
  const auto there = mean_cost(rival.runs).answers;
  if (!here || !there) {
    pair.ledger = fmt::format(
        "it is not known how many answers {} was trained on",
        here ? rival.name : own.name);
    return;
  }
  const double larger = std::max(*here, *there);
  pair.equal_ledger = std::abs(*here - *there) <= kEqualLedger * larger;
  pair.ledger = fmt::format(
      "{:.0f} answers scored in training here, {:.0f} there", *here, *there);
}

ComparedPair compare_pair(
    const Report& report, const Method& own, const Method& rival) {
  ComparedPair pair;
  pair.rival = rival.name;
  compare_ledgers(pair, own, rival);
  pair.seeds = std::min(own.runs.size(), rival.runs.size());
  const auto points = common_points(own, rival, pair.seeds);
  if (points.empty()) return pair;
  const NestedBootstrap bootstrap(pair.seeds, prompt_count(report));
  std::vector<const Common*> all, interior, vertices;
  for (const Common& point : points) {
    all.push_back(&point);
    (is_vertex(*point.own.front()) ? vertices : interior).push_back(&point);
  }
  const auto effect = [&](const std::vector<const Common*>& some,
                          const PerPoint& figure) -> std::optional<Effect> {
    if (some.empty()) return std::nullopt;
    return bootstrap.mean(differences(some, pair.seeds, figure));
  };
  pair.value = effect(all, value_at);
  pair.reward = effect(all, reward_at);
  if (report.objectives.size() > 1) {
    pair.interior = effect(interior, value_at);
    pair.vertices = effect(vertices, value_at);
  }
  if (points.size() > 1)
    pair.reach = bootstrap.mean(reach_differences(points, pair.seeds, report));
  compare_weightings(pair, points, bootstrap);
  return pair;
}

// ---- Against the bank
// --------------------------------------------------------

// Mean rewards of both at the weightings that both have.
struct Requested {
  ByObjective weights;
  ByObjective own;
  ByObjective bank;
};

ByObjective mean_rewards(const std::vector<const FrontPoint*>& seeds) {
  ByObjective mean;
  for (const FrontPoint* point : seeds) {
    for (const auto& [name, reward] : point->rewards)
      mean[name] += reward.mean / static_cast<double>(seeds.size());
  }
  return mean;
}

std::vector<Requested> requested_points(const Method& own, const Method& bank) {
  const std::size_t seeds = std::min(own.runs.size(), bank.runs.size());
  std::vector<Requested> all;
  for (const Common& point : common_points(own, bank, seeds)) {
    all.push_back(
        {point.own.front()->weights,
         mean_rewards(point.own),
         mean_rewards(point.rival)});
  }
  return all;
}

// Reach of one side; above two objectives over the vertices only, because a
// bank has no other runs there.
double reach_of(
    const std::vector<Requested>& points,
    const std::vector<std::string>& objectives,
    ByObjective Requested::*side) {
  std::vector<FrontPoint> front;
  for (const Requested& point : points) {
    FrontPoint one;
    one.weights = point.weights;
    for (const auto& [name, reward] : point.*side)
      one.rewards[name].mean = reward;
    if (objectives.size() <= 2 || is_vertex(one)) front.push_back(one);
  }
  double sum = 0;
  for (const std::string& name : objectives)
    if (!front.empty()) sum += reach(front, objectives, name);
  return sum / static_cast<double>(objectives.size());
}

// Steering errors from the middle weighting (two objectives).
void steering_errors(
    const std::vector<Requested>& points,
    const std::vector<std::string>& objectives,
    AgainstBank& result) {
  const auto is_middle = [&](const Requested& point) {
    return std::abs(point.weights.at(objectives.front()) - 0.5) <= 1e-9;
  };
  const auto middle = std::find_if(points.begin(), points.end(), is_middle);
  if (objectives.size() != 2 || middle == points.end()) return;
  double raised = 0, others = 0, count = 0;
  for (const Requested& point : points) {
    if (is_middle(point)) continue;
    count += 1;
    for (const std::string& name : objectives) {
      const double asked = point.bank.at(name) - middle->bank.at(name);
      const double got = point.own.at(name) - middle->own.at(name);
      (point.weights.at(name) > 0.5 ? raised : others) += std::abs(got - asked);
    }
  }
  if (count == 0) return;
  result.miscalibration = raised / count;
  result.side_effects = others / count;
}

AgainstBank against(
    const Report& report, const Method& own, const Method& bank) {
  AgainstBank result;
  result.method = own.name;
  const auto points = requested_points(own, bank);
  const double ceiling = reach_of(points, report.objectives, &Requested::bank);
  if (ceiling != 0) {
    result.share =
        reach_of(points, report.objectives, &Requested::own) / ceiling;
  }
  steering_errors(points, report.objectives, result);
  return result;
}

}  // namespace

const FrontPoint* rival_of(
    const FrontPoint& point, const std::vector<FrontPoint>& rivals) {
  const FrontPoint* nearest = nullptr;
  double distance = std::numeric_limits<double>::infinity();
  for (const FrontPoint& rival : rivals) {
    const double away = std::abs(rival.alpha - point.alpha);
    if (rival.weights != point.weights || away >= distance) continue;
    nearest = &rival;
    distance = away;
  }
  return nearest;
}

bool is_reference_only(const Report& report, const std::string& run) {
  if (!report.comparison) return false;
  for (const ComparedMethod& method : report.comparison->methods) {
    const auto& runs = method.runs;
    if (std::find(runs.begin(), runs.end(), run) == runs.end()) continue;
    for (const ComparedPair& pair : report.comparison->pairs)
      if (pair.rival == method.name) return !pair.equal_ledger;
  }
  return false;
}

void check_methods(
    const std::vector<std::string>& baselines, const CompareOptions& options) {
  std::vector<RunView> runs{{options.policy, nullptr, {}}};
  for (const std::string& name : baselines)
    runs.push_back({name, nullptr, {}});
  methods_of(runs, options);
}

void compare_methods(Report& report, const CompareOptions& options) {
  report.comparison.reset();
  if (report.baselines.empty()) return;
  const std::vector<Method> methods =
      methods_of(runs_of(report, options.policy), options);
  Comparison comparison;
  for (const Method& method : methods) {
    ComparedMethod& compared = comparison.methods.emplace_back();
    compared.name = method.name;
    for (const RunView& run : method.runs)
      compared.runs.push_back(run.name);
    compared.cost = mean_cost(method.runs);
    compared.figures = mean_figures(method.runs, report.objectives);
  }
  for (std::size_t k = 1; k < methods.size(); ++k)
    comparison.pairs.push_back(
        compare_pair(report, methods.front(), methods[k]));
  if (!options.bank.empty()) {
    const auto bank =
        std::find_if(methods.begin(), methods.end(), [&](const Method& one) {
          return one.name == options.bank;
        });
    comparison.bank = options.bank;
    for (const Method& method : methods) {
      if (method.name != options.bank)
        comparison.against_bank.push_back(against(report, method, *bank));
    }
  }
  report.comparison = std::move(comparison);
}

}  // namespace moft
