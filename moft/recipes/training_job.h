// From a recipe of `moft train` to the objects that train: the policy, its
// objectives, its examples and the trainer.
//
//   TrainPreflight ready = check_training(recipe, {source.place, {}, load});
//   ready.findings.settle();
//   TrainingJob job(
//       recipe,
//       load_training_models(recipe, load, std::move(ready.models)),
//       std::move(ready.train.examples),
//       load.device);
//   job.trainer().step();
//
// Errors: CallerError and WorldError, as the parts throw them.
// Thread safety: one thread.
#pragma once

#include <memory>
#include <vector>

#include "moft/recipes/recipe.h"
#include "moft/recipes/training_models.h"
#include "moft/rewards/objectives.h"
#include "moft/training/online.h"
#include "moft/training/publisher.h"
#include "moft/training/run_setup.h"

namespace moft {

// The policy that a run of the recipe makes, with what the run reads.
PolicyDefinition make_definition(
    const Recipe& recipe, const InputHashes& hashes);

class TrainingJob {
 public:
  // `examples`: as check_training() leaves them. `recipe` must outlive the job,
  // and so must `group`, the ranks that share the steps (none: alone).
  TrainingJob(
      const Recipe& recipe,
      TrainingModels models,
      std::vector<Example> examples,
      at::Device device,
      Group* group = nullptr);
  TrainingJob(const TrainingJob&) = delete;
  TrainingJob& operator=(const TrainingJob&) = delete;

  SteeredPolicy& policy() { return policy_; }
  const ObjectiveSet& objectives() const { return objectives_; }
  const std::vector<Example>& examples() const { return examples_; }
  OnlineTrainer& trainer() { return trainer_; }
  // What a run publishes at its end.
  PolicyProduct product();

 private:
  const Recipe& recipe_;
  SteeredPolicy policy_;
  ObjectiveSet objectives_;
  std::vector<Example> examples_;
  OnlineTrainer trainer_;
};

// The front while training: what a run is given to call. None unless
// training.evaluation.every is given. Reads the first held-out prompts of the
// recipe at once, so that a bad file is found before training. The metrics are
// "evaluation/<weighting>/rewards/<name>", ".../kl",
// ".../value", and "evaluation/moft_value", "evaluation/hypervolume". All
// arguments must outlive what is returned.
OnEvaluate make_training_evaluation(
    const Recipe& recipe,
    SteeredPolicy& policy,
    const ObjectiveSet& objectives);

}  // namespace moft
