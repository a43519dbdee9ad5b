// Tier 1 of the protocol: training on ENUM-1, fronts by enumeration.
#include "tests/trained/enum_runs.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

#include "tests/trained/enum_training.h"
#include "verify/enum_policy.h"
#include "verify/enum_text.h"

namespace moft::exact {
namespace {

using Json = nlohmann::ordered_json;
using Progress = std::function<void(const std::string&)>;

constexpr std::int64_t kPromptsPerStep = 4;
constexpr std::int64_t kSamplesPerPrompt = 16;
constexpr std::int64_t kWarmUpSteps = 28;
constexpr std::int64_t kLoraRank = 4;
constexpr int kBestOf[] = {1, 2, 4, 16};

struct UnitRow {
  const char* name;
  SteeredSet steered_set;
  bool words;
  WeightingPer per;
  bool every_alpha = false;  // one reward, every KL strength
  FMix f_mix = FMix::kSoftmdp;
};
constexpr UnitRow kPolicies[] = {
    {"full", SteeredSet::kFull, false, WeightingPer::kBatch},
    {"attention", SteeredSet::kAttention, false, WeightingPer::kBatch},
    {"logits", SteeredSet::kLogits, false, WeightingPer::kBatch},
    {"lora", SteeredSet::kLora, false, WeightingPer::kPrompt},
    {"lora-batch", SteeredSet::kLora, false, WeightingPer::kBatch},
    {"words", SteeredSet::kNone, true, WeightingPer::kPrompt},
    {"full+words", SteeredSet::kFull, true, WeightingPer::kBatch},
    {"attention+words", SteeredSet::kAttention, true, WeightingPer::kBatch},
    {"logits+words", SteeredSet::kLogits, true, WeightingPer::kBatch},
    {"kl-full", SteeredSet::kFull, false, WeightingPer::kBatch, true},
    {"kl-attention", SteeredSet::kAttention, false, WeightingPer::kBatch, true},
    {"kl-logits", SteeredSet::kLogits, false, WeightingPer::kBatch, true},
    {"kl-linear",
     SteeredSet::kFull,
     false,
     WeightingPer::kBatch,
     true,
     FMix::kLinear},
};
// The path over KL strengths: mixing amounts 0, .25, .5, .75, 1 at alpha_min,
// and two strengths beside them.
constexpr double kAmounts[] = {0.0, 0.25, 0.5, 0.75, 1.0};
constexpr double kMoreAlphas[] = {0.1, 0.3};
constexpr const char* kExperts = "experts";
constexpr const char* kBank = "bank";
constexpr const char* kReference = "reference";
constexpr const char* kDera = "dera";

const UnitRow* find_policy(const std::string& name) {
  for (const UnitRow& row : kPolicies) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

EnumPolicyOptions policy_options(
    const EnumRunOptions& run, const UnitRow& row) {
  EnumPolicyOptions options;
  options.family = run.family;
  options.kl_strength = run.alpha;
  options.width = run.width;
  options.seed = static_cast<std::uint64_t>(run.seed);
  options.objectives = static_cast<std::size_t>(run.objectives);
  options.conditioning.steered_set = row.steered_set;
  options.conditioning.lora.rank = kLoraRank;
  options.conditioning.f_mix = row.f_mix;
  if (row.words) {
    options.conditioning.prompt.emplace();
    options.conditioning.prompt->repetitions = 1;
  }
  return options;
}

std::unique_ptr<OnlineTrainer> trainer_of(
    EnumPolicy& policy,
    const EnumRunOptions& run,
    const UnitRow& row,
    const std::optional<Weighting>& fixed = std::nullopt) {
  TrainingOptions training;
  training.seed = run.seed;
  training.steps = run.steps;
  training.prompts_per_step = kPromptsPerStep;
  training.samples_per_prompt = kSamplesPerPrompt;
  training.weighting_per = row.per;
  training.optimizer.learning_rate = run.learning_rate;
  training.schedule.kind = ScheduleShape::kConstant;
  training.schedule.warmup_steps = std::min(kWarmUpSteps, run.steps);
  SteeringDraws draws;
  if (row.every_alpha) draws.kl_sampler = AlphaDistribution::kInverse;
  draws.weightings.concentration = run.concentration;
  if (fixed) {
    draws.weightings.sampler = WeightingDistribution::kFixed;
    const auto& names = policy.policy().names();
    for (std::size_t i = 0; i < names.size(); ++i)
      draws.weightings.weights[names[i]] = fixed->values()[i];
  }
  return make_enum_trainer(policy, training, draws);
}

Weighting vertex(std::size_t objectives, std::size_t i) {
  std::vector<double> w(objectives, 0.0);
  w[i] = 1.0;
  return Weighting(w);
}

// A front that grows point by point.
class Front {
 public:
  Front(const std::string& method, std::int64_t step, std::int64_t trained) {
    json_["method"] = method;
    json_["step"] = step;
    json_["completions"] = trained * kPromptsPerStep * kSamplesPerPrompt;
    for (const char* key :
         {"weightings", "alphas", "rewards", "kl", "value", "optimum"})
      json_[key] = Json::array();
  }

  void add(const Steering& at, const PolicyScore& score, double optimum) {
    json_["weightings"].push_back(at.w.values());
    json_["alphas"].push_back(at.alpha);
    json_["rewards"].push_back(score.rewards);
    json_["kl"].push_back(score.kl);
    json_["value"].push_back(score.value);
    json_["optimum"].push_back(optimum);
  }

  Json json() const { return json_; }

 private:
  Json json_;
};

Json front_of(
    const EnumPolicy& policy,
    Front front,
    const std::vector<Steering>& steerings) {
  for (const Steering& at : steerings) {
    const EnumScore score = policy.score(at);
    front.add(at, score, score.optimal_value);
  }
  return front.json();
}

std::vector<Steering> steerings_of(const EnumRunOptions& run) {
  std::vector<Steering> steerings;
  if (run.objectives > 1) {
    for (const Weighting& w :
         protocol_weightings(static_cast<std::size_t>(run.objectives)))
      steerings.push_back({w, run.alpha});
    return steerings;
  }
  const KlRange range(run.alpha);
  for (const double amount : kAmounts)
    steerings.push_back({Weighting({1.0}), range.alpha_of(amount)});
  for (const double alpha : kMoreAlphas)
    steerings.push_back({Weighting({1.0}), alpha});
  return steerings;
}

// The score of what `log_probs` gives for each prompt, [answers].
using LogProbsOf = std::function<Vector(std::size_t prompt)>;
void add_point(
    Front& front,
    const EnumPolicy& policy,
    const Steering& at,
    const LogProbsOf& log_probs) {
  const std::vector<double>& w = at.w.values();
  const std::size_t prompts = policy.prompts().size();
  const double share = 1.0 / static_cast<double>(prompts);
  PolicyScore mean;
  double best = 0.0;
  for (std::size_t p = 0; p < prompts; ++p) {
    const EnumeratedProblem& problem = policy.problem(p);
    add_share(mean, share, score_policy(problem, log_probs(p), w, at.alpha));
    best += share * optimum(problem, w, at.alpha).value;
  }
  front.add(at, mean, best);
}

// Token by token, the product of the parts' probabilities to the powers
// `shares`, normalised. `parts` [n][answers].
Vector mixed_log_probs(
    const TokenTree& tree, const Matrix& parts, const Vector& shares) {
  std::vector<Logits> logits;
  for (const Vector& part : parts)
    logits.push_back(tree.conditionals(part));
  Logits mixed = logits.at(0);
  for (std::size_t r = 0; r < mixed.size(); ++r) {
    Matrix rows;
    for (const Logits& part : logits)
      rows.push_back(part[r]);
    mixed[r] = weighted_sum(shares, rows);
  }
  return tree.log_probs(mixed);
}

// MOD with reverse KL: the experts' probabilities to the powers w_i.
Json mod_front(const EnumPolicy& soup, Front front, const EnumRunOptions& run) {
  const std::size_t objectives = soup.options().objectives;
  std::vector<Matrix> experts(soup.prompts().size());
  for (std::size_t p = 0; p < experts.size(); ++p) {
    for (std::size_t i = 0; i < objectives; ++i) {
      experts[p].push_back(
          soup.log_probs(p, Steering{vertex(objectives, i), run.alpha}));
    }
  }
  for (const Steering& at : steerings_of(run)) {
    add_point(front, soup, at, [&](std::size_t p) {
      return mixed_log_probs(soup.task().tree(), experts[p], at.w.values());
    });
  }
  return front.json();
}

// DeRa (arXiv 2402.02992): a model trained at alpha_min and the reference to
// the powers 1 - beta and beta.
Json dera_front(
    const EnumPolicy& policy, Front front, const EnumRunOptions& run) {
  const KlRange range(run.alpha);
  const Steering trained{Weighting({1.0}), run.alpha};
  for (const Steering& at : steerings_of(run)) {
    const double beta = range.mixing_amount(at.alpha);
    add_point(front, policy, at, [&](std::size_t p) {
      return mixed_log_probs(
          policy.task().tree(),
          {policy.log_probs(p, trained), policy.problem(p).reference},
          {1.0 - beta, beta});
    });
  }
  return front.json();
}

// The law of the best of n answers of the reference: answers in classes of
// equal score, P(class) = F(s)^n - F(s-)^n, within a class as the reference.
Vector best_of(const EnumeratedProblem& problem, const Vector& w, int n) {
  std::map<double, std::vector<std::size_t>> classes;
  for (std::size_t k = 0; k < problem.outputs(); ++k) {
    double score = 0.0;
    for (std::size_t i = 0; i < w.size(); ++i)
      score += w[i] * problem.rewards[i][k];
    // Scores that differ by rounding are one class.
    classes[std::round(score * 1e12)].push_back(k);
  }
  Vector log_probs(problem.outputs());
  double below = 0.0;
  for (const auto& [score, answers] : classes) {
    double mass = 0.0;
    for (const std::size_t k : answers)
      mass += std::exp(problem.reference[k]);
    const double share = std::pow(below + mass, n) - std::pow(below, n);
    for (const std::size_t k : answers)
      log_probs[k] = problem.reference[k] + std::log(share / mass);
    below += mass;
  }
  return log_probs;
}

void train_policy(
    Json& fronts,
    const EnumRunOptions& run,
    const UnitRow& row,
    EnumPolicy& policy,
    const Progress& progress) {
  const auto steerings = steerings_of(run);
  const auto trainer = trainer_of(policy, run, row);
  const std::int64_t total = run.steps;
  for (const std::int64_t until :
       {total / 9, total / 3, 2 * total / 3, total}) {
    while (trainer->finished_steps() < until)
      trainer->step();
    progress(fmt::format("{}: {} of {} steps", run.unit, until, total));
    fronts.push_back(
        front_of(policy, Front(run.unit, until, until), steerings));
  }
}

// Copy i of a policy, in the order of trained().
std::vector<at::Tensor> copy_of(EnumPolicy& policy, std::size_t i) {
  std::vector<at::Tensor> tensors;
  for (const TrainedTensor& entry : policy.policy().conditioning()->trained()) {
    if (entry.copy == i) tensors.push_back(entry.master.detach().clone());
  }
  return tensors;
}

void set_copy(
    EnumPolicy& policy, std::size_t i, const std::vector<at::Tensor>& tensors) {
  at::NoGradGuard no_gradient;
  Conditioning& conditioning = *policy.policy().conditioning();
  std::size_t next = 0;
  for (const TrainedTensor& entry : conditioning.trained()) {
    if (entry.copy == i) entry.master.copy_(tensors.at(next++));
  }
  conditioning.masters_changed();
}

// One policy per objective; their merge under every weighting is the soup.
void train_experts(
    Json& fronts,
    const EnumRunOptions& run,
    const UnitRow& row,
    EnumPolicy& soup,
    const Progress& progress) {
  const std::size_t objectives = soup.options().objectives;
  const std::int64_t total = run.steps;
  const std::int64_t kept[] = {total / 3, total / 2, total};
  std::map<std::int64_t, std::vector<std::vector<at::Tensor>>> experts;
  for (std::size_t i = 0; i < objectives; ++i) {
    EnumPolicy expert(soup.options());
    const auto trainer = trainer_of(expert, run, row, vertex(objectives, i));
    for (const std::int64_t until : kept) {
      while (trainer->finished_steps() < until)
        trainer->step();
      experts[until].push_back(copy_of(expert, i));
    }
    progress(fmt::format("expert {} of {}", i + 1, objectives));
  }
  const auto steerings = steerings_of(run);
  const auto count = static_cast<std::int64_t>(objectives);
  for (const auto& [step, copies] : experts) {
    for (std::size_t i = 0; i < objectives; ++i)
      set_copy(soup, i, copies[i]);
    fronts.push_back(
        front_of(soup, Front("soup", step, step * count), steerings));
    fronts.push_back(mod_front(soup, Front("mod", step, step * count), run));
  }
}

// One policy per weighting of the bank that is not a corner.
void train_bank(
    Json& fronts,
    const EnumRunOptions& run,
    const UnitRow& row,
    const Progress& progress) {
  const double shares[] = {0.2, 0.5, 0.8};
  Front front("bank", run.steps, run.steps * std::ssize(shares));
  for (const double share : shares) {
    const Weighting w({share, 1.0 - share});
    EnumPolicy policy(policy_options(run, row));
    const auto trainer = trainer_of(policy, run, row, w);
    while (trainer->finished_steps() < run.steps)
      trainer->step();
    const Steering at{w, run.alpha};
    const EnumScore score = policy.score(at);
    front.add(at, score, score.optimal_value);
    progress(fmt::format("bank: {}", share));
  }
  fronts.push_back(front.json());
}

// One reward at alpha_min; the other strengths come from the reference.
void train_dera(
    Json& fronts,
    const EnumRunOptions& run,
    const UnitRow& row,
    EnumPolicy& policy,
    const Progress& progress) {
  const auto trainer = trainer_of(policy, run, row);
  while (trainer->finished_steps() < run.steps)
    trainer->step();
  progress("dera: trained at the lowest KL strength");
  fronts.push_back(dera_front(policy, Front(kDera, run.steps, run.steps), run));
}

void list_reference(
    Json& fronts, const EnumRunOptions& run, const EnumPolicy& policy) {
  for (const int n : kBestOf) {
    Front front(fmt::format("best-of-{}", n), 0, 0);
    for (const Steering& at : steerings_of(run)) {
      add_point(front, policy, at, [&](std::size_t p) {
        return best_of(policy.problem(p), at.w.values(), n);
      });
    }
    fronts.push_back(front.json());
  }
}

}  // namespace

void EnumRunOptions::check(const std::string& path) const {
  const auto units = enum_units();
  if (std::find(units.begin(), units.end(), unit) == units.end()) {
    throw_caller_error(
        "{}unit is '{}'; give one of {}", path, unit, join(units, ", "));
  }
  if (steps % 18 != 0) {
    throw_caller_error(
        "{}steps is {}; give a multiple of 18, so that checkpoints are whole "
        "steps",
        path,
        steps);
  }
  const UnitRow* row = find_policy(unit);
  const bool one_reward = unit == kDera || (row != nullptr && row->every_alpha);
  const std::int64_t least = one_reward ? 1 : 2;
  const std::int64_t most = one_reward ? 1 : unit == kBank ? 2 : 3;
  if (objectives < least || objectives > most) {
    throw_caller_error(
        "{}objectives is {}; unit {} takes {} to {}",
        path,
        objectives,
        unit,
        least,
        most);
  }
}

std::vector<std::string> enum_units() {
  std::vector<std::string> names;
  for (const UnitRow& row : kPolicies)
    names.emplace_back(row.name);
  for (const char* name : {kExperts, kBank, kReference, kDera})
    names.emplace_back(name);
  return names;
}

std::vector<Weighting> protocol_weightings(std::size_t objectives) {
  std::vector<Weighting> points;
  if (objectives == 2) {
    for (int k = 0; k <= 10; ++k)
      points.push_back(Weighting({k / 10.0, (10 - k) / 10.0}));
    return points;
  }
  if (objectives != 3) {
    throw_caller_error(
        "protocol_weightings: {} objectives; give 2 or 3", objectives);
  }
  // Each kind in rising order of its permutations.
  for (std::vector<int> tenths :
       {std::vector<int>{0, 0, 10}, {0, 5, 5}, {1, 3, 6}}) {
    do {
      points.push_back(
          Weighting({tenths[0] / 10.0, tenths[1] / 10.0, tenths[2] / 10.0}));
    } while (std::next_permutation(tenths.begin(), tenths.end()));
  }
  points.push_back(Weighting({1.0 / 3, 1.0 / 3, 1.0 / 3}));
  return points;
}

Json run_enum_unit(const EnumRunOptions& run, const Progress& on_progress) {
  check_options(run, "[enum_run]");
  const Progress progress =
      on_progress ? on_progress : [](const std::string&) {};
  const auto start = std::chrono::steady_clock::now();
  const UnitRow* row = find_policy(run.unit);
  if (row == nullptr) row = find_policy("full");
  EnumPolicy policy(policy_options(run, *row));
  Json fronts = Json::array();
  if (run.unit == kExperts) {
    train_experts(fronts, run, *row, policy, progress);
  } else if (run.unit == kBank) {
    train_bank(fronts, run, *row, progress);
  } else if (run.unit == kReference) {
    list_reference(fronts, run, policy);
  } else if (run.unit == kDera) {
    train_dera(fronts, run, *row, policy, progress);
  } else {
    train_policy(fronts, run, *row, policy, progress);
  }
  Json result = options_to_json(run);
  result.erase("output");
  result["names"] = policy.policy().names();
  result["trained_parameters"] =
      run.unit == kReference ? 0
                             : policy.policy().conditioning()->counts().trained;
  result["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  result["fronts"] = std::move(fronts);
  return result;
}

}  // namespace moft::exact
