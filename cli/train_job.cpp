// Recipes of `moft train`: a model becomes a steerable policy.
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/policy_start.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/start.h"
#include "moft/recipes/training_job.h"
#include "moft/training/run_directory.h"

#include "cli/policy_flags.h"
#include "cli/rank_slices.h"
#include "cli/recipe_job.h"
#include "cli/result.h"
#include "cli/run_output.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What a resumed run may also differ in: it changes no update, or is logged.
// `steps` may grow.
constexpr const char* kFreeKeys[] = {
    "training.steps",
    "training.guards",
    "training.evaluation",
    "training.checkpoint",
    "training.log_samples",
    "training.gradient_accumulation"};

// Checkpoints of format 1 put the weighting's words before the whole prompt.
void check_words_place(const Checkpoint& checkpoint, const Recipe& recipe) {
  if (checkpoint.state.format_version >= 2 || !recipe.conditioning.prompt)
    return;
  throw_caller_error(
      "{}: was trained with the weighting's words before the whole prompt, and "
      "moft now puts them at the prompt's first field; train into another "
      "output",
      checkpoint.directory.string());
}

void check_same_recipe(const Checkpoint& checkpoint, const Recipe& now) {
  const auto before = recipe_of<Recipe>(checkpoint);
  check_same_options(checkpoint, before, now, kFreeKeys);
  log_other_slices(before.training, now.training, "training");
  check_same_start(checkpoint, before.policy, now.policy);
  check_steps(
      checkpoint,
      {"training",
       before.training.steps,
       now.training.steps,
       now.training.schedule.kind});
}

class TrainJob : public JobOf<Recipe> {
 public:
  explicit TrainJob(Recipe recipe)
      : JobOf(RunKind::kTrain, std::move(recipe)) {}

  void resolve_paths(const RecipeSource& source) override {
    moft::resolve_paths(recipe_, source);
    refuse_policies(recipe_);
    resolve_start(recipe_, source);
  }

  CheckedRecipe check(const PreflightOptions& options) override {
    TrainPreflight found = check_training(recipe_, options);
    std::string counts = fmt::format(
        "{} objectives, {} and {}{} examples",
        recipe_.objectives.size(),
        found.train.examples.size(),
        found.evaluation,
        recipe_.data.final.empty() ? "" : fmt::format(" and {}", found.final));
    if (options.ranks > 1 && found.memory) {
      log_info(
          "memory      about {} at the peak of each rank, by estimate",
          bytes_as_text(estimate_memory(*found.memory).peak()));
    }
    examples_ = std::move(found.train);
    models_ = std::move(found.models);
    return {std::move(found.findings), std::move(counts)};
  }

  void use_ranks(int ranks) override {
    recipe_.check_waits("");
    TrainingOptions& training = recipe_.training;
    share_slices(training, items_of(training), ranks, "training");
  }

  void check_same_recipe(const Checkpoint& checkpoint) const override {
    moft::check_same_recipe(checkpoint, recipe_);
  }

  PreparedRun prepare(
      const Compute& compute,
      const std::optional<Checkpoint>& resume,
      const JoinGroup& join) override {
    TrainingModels models =
        load_training_models(recipe_, compute.load, std::move(models_));
    PreparedRun prepared;
    prepared.inputs = models.inputs;
    if (resume) check_words_place(*resume, recipe_);
    check_resumed(resume, prepared.inputs.hashes(), compute);
    Group* const group = join(prepared.inputs);
    job_ = std::make_unique<TrainingJob>(
        recipe_,
        std::move(models),
        std::move(examples_.examples),
        compute.load.device,
        group);
    SteeredPolicy& policy = job_->policy();
    OnlineTrainer& trainer = job_->trainer();
    print_start(compute, resume);
    if (!recipe_.policy.start.empty() && !resume)
      start_policy(policy, recipe_.policy);
    if (trainer.value() != nullptr) print_value(*trainer.value());
    publisher_ = std::make_unique<PolicyPublisher>(job_->product());
    prepared.trainer = &trainer;
    prepared.publisher = publisher_.get();
    prepared.on_evaluate =
        make_training_evaluation(recipe_, policy, job_->objectives(), group);
    return prepared;
  }

  void print_end(const RunOutcome& outcome) const override {
    const auto names = job_->policy().names();
    const std::string directory = outcome.product.string();
    const std::string weights =
        format_weighting(Weighting::uniform(names.size()), names);
    print_result("policy   {}\n", directory);
    print_result(
        "logs     {}\n", (fs::path(recipe_.output) / kMetricsFile).string());
    print_result("next:\n  moft evaluate {}\n", recipe_.output);
    print_result("  moft sweep {} --prompt TEXT\n", directory);
    print_result(
        "  moft generate {} --weights {} --prompt TEXT\n", directory, weights);
  }

 private:
  void print_start(
      const Compute& compute, const std::optional<Checkpoint>& resume) const {
    const SteeredPolicy& policy = job_->policy();
    const ParameterCounts counts = policy.conditioning()->counts();
    log_info("run         {}", recipe_.output);
    log_info("objectives  {}", join(policy.names(), ", "));
    log_info(
        "steered     {}: {} of {} parameters, {} shared{}; {} trained, {} in "
        "the policy",
        enum_name(recipe_.conditioning.steered_set),
        counts.steered,
        counts.model,
        counts.shared,
        counts.trained == counts.policy ? "" : " and frozen",
        counts.trained,
        counts.policy);
    log_steerings(policy, job_->trainer().steerings_per_step());
    print_knobs(policy);
    log_info(
        "examples    {}; {} steps",
        job_->examples().size(),
        recipe_.training.steps);
    const std::string changed = examples_.report.describe();
    if (!changed.empty()) log_warning("prompts: {}", changed);
    log_info("compute     {}", compute.describe());
    if (resume) log_resumed(*resume);
  }

  void print_value(const ValueLearner& value) const {
    const ValueOptions& options = recipe_.training.value;
    log_info(
        "value       a network of {} parameters, {} from the {} prompt, "
        "learning rate {}",
        value.model().parameters(),
        value.outputs() == 1 ? "1 output"
                             : fmt::format("{} outputs", value.outputs()),
        enum_name(options.prompt),
        shortest_number(options.learning_rate));
  }

  void print_knobs(const SteeredPolicy& policy) const {
    const KlRange& range = policy.kl_range();
    const TrainingOptions& training = recipe_.training;
    if (const auto warning = kl_estimator_warning(training.kl_estimator))
      log_warning("{}", *warning);
    if (training.kl_sampler != AlphaDistribution::kFixed) {
      log_info(
          "KL strength {} on [{}, 1], f_mix {}",
          enum_name(training.kl_sampler),
          shortest_number(range.alpha_min()),
          enum_name(range.f_mix()));
    } else if (range.alpha_min() != training.kl_strength) {
      log_warning(
          "training.kl_strength is fixed at {} but conditioning.alpha_min is "
          "{}: every step mixes in {:.1f}% of the reference, which slows "
          "training down; leave alpha_min out, or give a kl_sampler",
          shortest_number(training.kl_strength),
          shortest_number(range.alpha_min()),
          100 * range.mixing_amount(training.kl_strength));
    }
    if (policy.conditions_prompts()) {
      const auto w = Weighting::uniform(policy.names().size());
      log_info(
          "prompt      {}({} tokens), at the first field",
          policy.info().prompt.words_of(w),
          policy.count_word_tokens(w));
    }
  }

  FittedExamples examples_;
  TrainingModels models_;
  std::unique_ptr<TrainingJob> job_;
  std::unique_ptr<PolicyPublisher> publisher_;
};

}  // namespace

std::unique_ptr<RecipeJob> open_train_job(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  return std::make_unique<TrainJob>(load_recipe(source, overrides));
}

}  // namespace moft
