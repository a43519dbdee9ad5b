// Evaluation during training.
#include "moft/recipes/train_evaluation.h"

#include <algorithm>
#include <memory>

#include "moft/evaluation/evaluate.h"
#include "moft/generation/expected_steerings.h"
#include "moft/recipes/data_parts.h"
#include "moft/recipes/recipe_examples.h"

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

OnEvaluate make_training_evaluation(
    const Recipe& recipe,
    SteeredPolicy& policy,
    const ObjectiveSet& objectives) {
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
  return [&policy, &objectives, examples, options](std::int64_t) {
    const ExpectedSteerings expected(
        policy, evaluated_steerings(objectives.size(), options));
    return metrics_of(evaluate_policy(policy, objectives, examples, options));
  };
}

}  // namespace moft
