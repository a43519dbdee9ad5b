// A real conditioned language model on ENUM-1, scored exactly.
//
// The policy is an ordinary SteeredPolicy on a tiny model of either family;
// all 156 answers of all 4 prompts are given to the model, so probabilities,
// values, KL and rewards are sums, not samples.
// The reference is the model as it was drawn (not the uniform distribution of
// EnumTask::problem), and reads the plain prompt.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/generation/steered_policy.h"
#include "moft/rewards/objectives.h"

#include "verify/enum_task.h"
#include "verify/tiny_models.h"

namespace moft::exact {

struct EnumPolicyOptions {
  ModelFamily family = ModelFamily::kLlama;
  ConditioningOptions conditioning;
  double kl_strength = 0.1;  // alpha_min too unless conditioning says
  std::int64_t width = 16;
  std::int64_t layers = 2;
  std::uint64_t seed = 1;
  std::size_t objectives = 3;  // the task's first ones
};

// Means over the prompts.
struct EnumScore : PolicyScore {
  // KL(pi || ref) again, by the chain rule: sum over answers of pi times the
  // exact per-token KL (ScoreOptions::with_exact_kl) along the answer.
  double token_kl = 0.0;
  double optimal_value = 0.0;  // V*
  double regret = 0.0;         // alpha KL(pi || pi*), V* - V by Lemma 1
  double mass_error = 0.0;     // |sum of pi(y | x) - 1|, the largest
};

class EnumPolicy {
 public:
  explicit EnumPolicy(const EnumPolicyOptions& options);

  const EnumPolicyOptions& options() const { return options_; }
  double kl_strength() const { return options_.kl_strength; }
  const EnumTask& task() const { return task_; }
  SteeredPolicy& policy() { return *policy_; }
  const ObjectiveSet& objectives() const { return *objectives_; }
  const std::vector<Example>& examples() const { return examples_; }
  const std::vector<Prompt>& prompts() const { return prompts_; }
  // As the model emits the task's answers.
  const std::vector<std::vector<TokenId>>& completions() const {
    return completions_;
  }

  // The problem of one prompt with the model's own reference.
  const EnumeratedProblem& problem(std::size_t prompt) const {
    return problems_[prompt];
  }
  // log pi(y | x) of every answer, [156]; float32 per token, summed in double.
  // No steering: the frozen reference.
  Vector log_probs(
      std::size_t prompt, const std::optional<Steering>& steering) const;

  EnumScore score(const Steering& steering) const;
  // V* - V of the reference.
  double reference_regret(const Steering& steering) const;

  // Adds normal noise to every master: `spread` times its root mean square
  // (or times 1 / sqrt(columns) for a master of zeros).
  void perturb(double spread, std::uint64_t seed);

 private:
  std::vector<ScoreRequest> requests(
      std::size_t prompt, const std::optional<Steering>& steering) const;
  EnumPolicyOptions options_;
  EnumTask task_;
  std::vector<Example> examples_;
  std::unique_ptr<ObjectiveSet> objectives_;
  std::unique_ptr<SteeredPolicy> policy_;
  std::vector<Prompt> prompts_;
  std::vector<std::vector<TokenId>> completions_;
  std::vector<EnumeratedProblem> problems_;
};

// What such a policy is run with: steered sets and prompts.
enum class EnumVariant {
  kFull,
  kAttention,
  kLogits,
  kPattern,  // feed-forward outputs and norms
  kLora,
  kPrompt,           // no steered set
  kAttentionPrompt,  // both
};
std::vector<EnumVariant> all_enum_variants();
std::string variant_name(EnumVariant variant);

// Its reference reads another prompt than the policy.
bool reads_weights(EnumVariant variant);
// A policy with alpha (and alpha_min) .1 of the variant.
EnumPolicyOptions enum_policy_options(
    ModelFamily family, EnumVariant variant, std::uint64_t seed = 1);

// The model that such a policy conditions, as it was drawn.
LoadedModel make_enum_model(const EnumPolicyOptions& options);

}  // namespace moft::exact
