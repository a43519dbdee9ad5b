// From a recipe of `moft train` to the objects that train.
#include "moft/recipes/training_job.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "moft/core/version.h"
#include "moft/evaluation/evaluate.h"
#include "moft/generation/expected_steerings.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/data_parts.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/rewards/make_objectives.h"
#include "moft/training/ranks.h"

namespace moft {
namespace {

std::map<std::string, double> metrics_of(const Report& report) {
  std::map<std::string, double> metrics;
  for (const FrontPoint& point : report.points) {
    std::vector<double> weights;
    for (const std::string& name : report.objectives)
      weights.push_back(point.weights.at(name));
    const std::string prefix =
        "evaluation/" +
        format_weighting(Weighting(weights), report.objectives) + "/";
    for (const auto& [name, interval] : point.rewards)
      metrics[prefix + "rewards/" + name] = interval.mean;
    metrics[prefix + "kl"] = point.kl.mean;
    metrics[prefix + "value"] = point.value.mean;
  }
  metrics["evaluation/moft_value"] = report.summary.moft_value;
  metrics["evaluation/hypervolume"] = report.summary.hypervolume;
  return metrics;
}

}  // namespace

PolicyDefinition make_definition(
    const Recipe& recipe, const InputHashes& hashes) {
  PolicyDefinition definition = definition_of(recipe);
  definition.provenance = {
      {"recipe", recipe.name},
      {"base", std::filesystem::path(recipe.policy.model).filename().string()},
      {"moft", MOFT_VERSION_STRING}};
  add_provenance(hashes, definition.provenance);
  return definition;
}

TrainingJob::TrainingJob(
    const Recipe& recipe,
    TrainingModels models,
    std::vector<Example> examples,
    at::Device device,
    Group* group)
    : recipe_(recipe),
      policy_(
          std::move(models.base),
          std::move(models.tokenizer),
          make_definition(recipe, models.inputs.hashes()),
          static_cast<std::uint64_t>(recipe.training.seed),
          sharing_ranks(recipe.conditioning, recipe.training, group)),
      objectives_(
          models.objectives ? std::move(*models.objectives)
                            : make_objectives(recipe.objectives, {}, device)),
      examples_(std::move(examples)),
      trainer_(
          {&policy_,
           &objectives_,
           &examples_,
           recipe.data.max_prompt_tokens,
           recipe.data.shuffle,
           std::move(models.value.model),
           group},
          recipe.training,
          make_weighting_sampler(
              recipe.weightings, objectives_.names(), "weightings")) {}

PolicyProduct TrainingJob::product() {
  PolicyProduct product;
  product.policy = &policy_;
  product.prompt = trainer_.prompts().prompt(0);
  product.base_path = recipe_.policy.model;
  product.card.name = recipe_.name;
  product.card.description = recipe_.description;
  product.card.base_model = recipe_.policy.model;
  product.answers_per_step =
      recipe_.training.prompts_per_step * recipe_.training.samples_per_prompt;
  return product;
}

OnEvaluate make_training_evaluation(
    const Recipe& recipe,
    SteeredPolicy& policy,
    const ObjectiveSet& objectives,
    Group* group) {
  const TrainingEvaluationOptions& wanted = recipe.training.evaluation;
  if (!wanted.every) return nullptr;
  auto examples = fit_to_policy(
      read_split(recipe.data, Split::kEvaluation),
      recipe,
      ExamplesFor::kEvaluation,
      policy);
  const auto count =
      std::min(examples.size(), static_cast<std::size_t>(wanted.prompts));
  examples.resize(count);
  policy.info().prompt.parsed().check(examples);
  EvaluateOptions options;
  options.weightings = wanted.weightings;
  options.max_new_tokens = recipe.training.max_new_tokens;
  options.texts = 0;
  return [&policy, &objectives, examples, options, group](std::int64_t) {
    const ExpectedSteerings expected(
        policy, evaluated_steerings(objectives.size(), options));
    const WholeCopies whole(*policy.conditioning());
    return metrics_of(
        evaluate_policy(policy, objectives, examples, options, nullptr, group));
  };
}

}  // namespace moft
