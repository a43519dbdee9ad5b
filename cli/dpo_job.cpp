// Recipes of `moft dpo`: pairs of answers with scores become a steerable
// policy.
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/dpo_preflight.h"
#include "moft/recipes/start.h"
#include "moft/recipes/training_job.h"
#include "moft/training/dpo/trainer.h"
#include "moft/training/run_directory.h"

#include "cli/policy_flags.h"
#include "cli/recipe_job.h"
#include "cli/result.h"
#include "cli/run_output.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What a resumed run may also differ in; see train_job.cpp.
constexpr const char* kFreeKeys[] = {
    "dpo.steps", "dpo.evaluation", "dpo.checkpoint"};

class DpoJob : public JobOf<DpoRecipe> {
 public:
  explicit DpoJob(DpoRecipe recipe) : JobOf(RunKind::kDpo, std::move(recipe)) {}

  void resolve_paths(const RecipeSource& source) override {
    moft::resolve_paths(recipe_, source);
  }

  CheckedRecipe check(const PreflightOptions& options) override {
    ready_ = check_preference_training(recipe_, options);
    return {
        ready_.findings,
        fmt::format(
            "{} and {} pairs",
            ready_.train.pairs.size(),
            ready_.held_out.pairs.size())};
  }

  void check_same_recipe(const Checkpoint& checkpoint) const override {
    const auto before = recipe_of<DpoRecipe>(checkpoint);
    check_same_options(checkpoint, before, recipe_, kFreeKeys);
    check_same_start(checkpoint, before.policy, recipe_.policy);
    check_steps(
        checkpoint,
        {"dpo",
         before.dpo.steps,
         recipe_.dpo.steps,
         recipe_.dpo.schedule.kind});
  }

  PreparedRun prepare(
      const Compute& compute,
      const std::optional<Checkpoint>& resume,
      const JoinGroup& /*join*/) override {
    Recipe read = recipe_.as_train();
    read.objectives.clear();  // they have no files
    TrainingModels models =
        load_training_models(read, compute.load, std::move(ready_.models));
    PreparedRun prepared;
    prepared.inputs = models.inputs;
    check_resumed(resume, prepared.inputs.hashes(), compute);
    policy_ = std::make_unique<SteeredPolicy>(
        std::move(models.base),
        std::move(models.tokenizer),
        make_definition(recipe_.as_train(), prepared.inputs.hashes()),
        static_cast<std::uint64_t>(recipe_.dpo.seed));
    trainer_ = std::make_unique<DpoTrainer>(
        DpoInputs{
            policy_.get(),
            &ready_.train.pairs,
            &ready_.held_out.pairs,
            recipe_.data.shuffle},
        recipe_.dpo,
        make_weighting_sampler(
            recipe_.weightings, recipe_.objective_names(), "weightings"));
    print_start(compute, resume);
    if (!recipe_.policy.start.empty() && !resume)
      start_policy(*policy_, recipe_.policy);
    publisher_ = std::make_unique<PolicyPublisher>(product());
    prepared.trainer = trainer_.get();
    prepared.publisher = publisher_.get();
    prepared.on_evaluate = [this](std::int64_t) {
      return trainer_->evaluate();
    };
    return prepared;
  }

  void print_end(const RunOutcome& outcome) const override {
    const auto names = policy_->names();
    const std::string directory = outcome.product.string();
    print_result("policy   {}\n", directory);
    print_result(
        "logs     {}\n", (fs::path(recipe_.output) / kMetricsFile).string());
    print_result("next:\n  moft sweep {} --prompt TEXT\n", directory);
    print_result(
        "  moft generate {} --weights {} --prompt TEXT\n",
        directory,
        format_weighting(Weighting::uniform(names.size()), names));
  }

 private:
  PolicyProduct product() {
    PolicyProduct product;
    product.policy = policy_.get();
    product.prompt = ready_.train.pairs.front().prompt;
    product.base_path = recipe_.policy.model;
    product.card.name = recipe_.name;
    product.card.description = recipe_.description;
    product.card.base_model = recipe_.policy.model;
    product.answers_per_step = 2 * recipe_.dpo.pairs_per_step;
    return product;
  }

  void print_start(
      const Compute& compute, const std::optional<Checkpoint>& resume) const {
    const ParameterCounts counts = policy_->conditioning()->counts();
    log_info("run         {}", recipe_.output);
    log_info("objectives  {}", join(policy_->names(), ", "));
    log_info(
        "steered     {}: {} of {} parameters; {} trained, {} in the policy",
        enum_name(recipe_.conditioning.steered_set),
        counts.steered,
        counts.model,
        counts.trained,
        counts.policy);
    if (recipe_.dpo.kl_sampler == AlphaDistribution::kFixed) {
      log_info(
          "KL strength {}, beta {:.4g}",
          shortest_number(recipe_.dpo.kl_strength),
          preference_beta(recipe_.dpo.kl_strength));
    } else {
      log_info("KL strength {}", enum_name(recipe_.dpo.kl_sampler));
    }
    log_info(
        "pairs       {} to train on, {} held out; {} steps",
        ready_.train.pairs.size(),
        ready_.held_out.pairs.size(),
        recipe_.dpo.steps);
    for (const DpoPairs* pairs : {&ready_.train, &ready_.held_out}) {
      const std::string changed = pairs->lengths.describe();
      if (!changed.empty()) log_warning("pairs: {}", changed);
    }
    log_info("compute     {}", compute.describe());
    if (resume) log_resumed(*resume);
  }

  DpoPreflight ready_;
  std::unique_ptr<SteeredPolicy> policy_;
  std::unique_ptr<DpoTrainer> trainer_;
  std::unique_ptr<PolicyPublisher> publisher_;
};

}  // namespace

std::unique_ptr<RecipeJob> open_dpo_job(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  return std::make_unique<DpoJob>(load_dpo_recipe(source, overrides));
}

}  // namespace moft
