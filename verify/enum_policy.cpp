// ENUM-1: a language model scored over all answers.
#include "verify/enum_policy.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "moft/core/random.h"
#include "moft/data/encode_prompt.h"

#include "verify/enum_text.h"

namespace moft::exact {
namespace {

std::unique_ptr<SteeredPolicy> make_policy(const EnumPolicyOptions& options) {
  PolicyDefinition definition;
  for (const std::string& name : enum_objective_names(options.objectives))
    definition.objectives.push_back({name, 0.0, 1.0});
  definition.conditioning = options.conditioning;
  definition.kl_strength = options.kl_strength;
  definition.prompt_template = "{document}";
  return std::make_unique<SteeredPolicy>(
      make_enum_model(options),
      make_enum_tokenizer(options.family == ModelFamily::kT5),
      std::move(definition),
      options.seed);
}

double root_mean_square(const at::Tensor& values) {
  return values.square().mean().sqrt().item<double>();
}

double sum_of(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float value : values)
    sum += static_cast<double>(value);
  return sum;
}

struct VariantRow {
  EnumVariant variant;
  SteeredSet steered_set;
  bool reads_weights;
};
constexpr VariantRow kVariants[] = {
    {EnumVariant::kFull, SteeredSet::kFull, false},
    {EnumVariant::kAttention, SteeredSet::kAttention, false},
    {EnumVariant::kLogits, SteeredSet::kLogits, false},
    {EnumVariant::kPattern, SteeredSet::kPattern, false},
    {EnumVariant::kLora, SteeredSet::kLora, false},
    {EnumVariant::kPrompt, SteeredSet::kNone, true},
    {EnumVariant::kAttentionPrompt, SteeredSet::kAttention, true}};

const VariantRow& row_of(EnumVariant variant) {
  return kVariants[static_cast<std::size_t>(variant)];
}

}  // namespace

std::vector<EnumVariant> all_enum_variants() {
  std::vector<EnumVariant> variants;
  for (const VariantRow& row : kVariants)
    variants.push_back(row.variant);
  return variants;
}

std::string variant_name(EnumVariant variant) {
  if (variant == EnumVariant::kPrompt) return "prompt";
  const std::string name = enum_name(row_of(variant).steered_set);
  return reads_weights(variant) ? name + " and prompt" : name;
}

bool reads_weights(EnumVariant variant) {
  return row_of(variant).reads_weights;
}

EnumPolicyOptions enum_policy_options(
    ModelFamily family, EnumVariant variant, std::uint64_t seed) {
  EnumPolicyOptions options;
  options.family = family;
  options.seed = seed;
  options.conditioning.steered_set = row_of(variant).steered_set;
  options.conditioning.pattern = family == ModelFamily::kT5
                                     ? R"(DenseReluDense\.wo|norm)"
                                     : R"(mlp\.down_proj|norm)";
  options.conditioning.lora.rank = 4;
  if (reads_weights(variant)) {
    options.conditioning.prompt.emplace();
    options.conditioning.prompt->repetitions = 1;
  }
  return options;
}

LoadedModel make_enum_model(const EnumPolicyOptions& options) {
  TinyModelOptions model;
  model.family = options.family;
  model.width = options.width;
  model.layers = options.layers;
  model.seed = options.seed;
  return make_tiny_model(model);
}

EnumPolicy::EnumPolicy(const EnumPolicyOptions& options)
    : options_(options),
      examples_(enum_examples(task_)),
      objectives_(std::make_unique<ObjectiveSet>(
          enum_objectives(task_, options.objectives))),
      policy_(make_policy(options)),
      completions_(enum_completions(task_)) {
  const PromptMaker& prompt = policy_->info().prompt.parsed();
  for (const Example& example : examples_)
    prompts_.push_back(make_prompt(prompt, example, policy_->tokenizer()));
  for (std::size_t p = 0; p < prompts_.size(); ++p) {
    Matrix rewards = task_.problem(p).rewards;
    rewards.resize(options.objectives);
    problems_.push_back({log_probs(p, std::nullopt), std::move(rewards)});
  }
}

std::vector<ScoreRequest> EnumPolicy::requests(
    std::size_t prompt, const std::optional<Steering>& steering) const {
  std::vector<ScoreRequest> result;
  for (const auto& completion : completions_)
    result.push_back({prompts_[prompt], completion, steering});
  return result;
}

Vector EnumPolicy::log_probs(
    std::size_t prompt, const std::optional<Steering>& steering) const {
  Vector sums;
  for (const Score& score : policy_->score(requests(prompt, steering), {}))
    sums.push_back(sum_of(score.log_probs));
  return sums;
}

EnumScore EnumPolicy::score(const Steering& steering) const {
  EnumScore mean;
  const std::vector<double>& w = steering.w.values();
  const double share = 1.0 / static_cast<double>(problems_.size());
  for (std::size_t p = 0; p < problems_.size(); ++p) {
    Vector log_pi;
    double mass = 0.0;
    for (const Score& one : policy_->score(
             requests(p, steering),
             {.with_reference = false, .with_exact_kl = true})) {
      log_pi.push_back(sum_of(one.log_probs));
      mass += std::exp(log_pi.back());
      mean.token_kl += share * std::exp(log_pi.back()) * sum_of(one.exact_kl);
    }
    add_share(
        mean, share, score_policy(problems_[p], log_pi, w, steering.alpha));
    mean.optimal_value +=
        share * optimum(problems_[p], w, steering.alpha).value;
    mean.regret +=
        share * loss_to_optimum(problems_[p], log_pi, w, steering.alpha);
    mean.mass_error = std::max(mean.mass_error, std::abs(mass - 1.0));
  }
  return mean;
}

double EnumPolicy::reference_regret(const Steering& steering) const {
  double sum = 0.0;
  for (const EnumeratedProblem& problem : problems_) {
    sum += loss_to_optimum(
        problem, problem.reference, steering.w.values(), steering.alpha);
  }
  return sum / static_cast<double>(problems_.size());
}

void EnumPolicy::perturb(double spread, std::uint64_t seed) {
  at::NoGradGuard no_gradient;
  Conditioning& conditioning = *policy_->conditioning();
  std::uint32_t row = 0;
  for (const TrainedTensor& entry : conditioning.trained()) {
    double scale = root_mean_square(entry.master);
    if (scale == 0.0)
      scale = 1.0 / std::sqrt(static_cast<double>(entry.master.size(-1)));
    RandomStream stream(seed, Purpose::kInitialise, 2, row++);
    std::vector<float> noise;
    for (std::int64_t i = 0; i < entry.master.numel(); ++i)
      noise.push_back(static_cast<float>(spread * scale * stream.normal()));
    entry.master.add_(at::tensor(noise).view(entry.master.sizes()));
  }
  conditioning.masters_changed();
}

}  // namespace moft::exact
