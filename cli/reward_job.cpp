// Recipes of `moft reward train`: texts with labels, numbers or preferences
// become a classifier or reward model, an ordinary Hugging Face directory that
// rewards read.
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/core/version.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/reward_preflight.h"
#include "moft/recipes/start.h"
#include "moft/training/reward/publisher.h"

#include "cli/recipe_job.h"
#include "cli/result.h"
#include "cli/run_output.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What a resumed run may also differ in; see train_job.cpp. With early stopping
// the evaluation decides the result.
constexpr const char* kFreeKeys[] = {
    "reward.steps", "reward.checkpoint", "reward.evaluation"};

class RewardJob : public JobOf<RewardRecipe> {
 public:
  explicit RewardJob(RewardRecipe recipe)
      : JobOf(RunKind::kReward, std::move(recipe)) {}

  void resolve_paths(const RecipeSource& source) override {
    moft::resolve_paths(recipe_, source);
    refuse_policies(recipe_);
  }

  CheckedRecipe check(const PreflightOptions& options) override {
    ready_ = check_reward_training(recipe_, options);
    return {
        ready_.findings,
        fmt::format(
            "{} and {} rows",
            ready_.train.rows.size(),
            ready_.held_out.rows.size())};
  }

  void check_same_recipe(const Checkpoint& checkpoint) const override {
    const auto before = recipe_of<RewardRecipe>(checkpoint);
    const std::size_t free = recipe_.reward.early_stopping ? 2 : 3;
    check_same_options(
        checkpoint, before, recipe_, std::span(kFreeKeys).first(free));
    check_steps(
        checkpoint,
        {"reward",
         before.reward.steps,
         recipe_.reward.steps,
         recipe_.reward.schedule.kind});
  }

  PreparedRun prepare(
      const Compute& compute,
      const std::optional<Checkpoint>& resume,
      const JoinGroup& /*join*/) override {
    RewardStart& start = ready_.start;
    PreparedRun prepared;
    prepared.inputs.add_directory("base", recipe_.model.path);
    prepared.inputs.add_files("data.train", recipe_.data.train);
    prepared.inputs.add_files("data.evaluation", recipe_.data.evaluation);
    check_resumed(resume, prepared.inputs.hashes(), compute);
    print_start(compute);
    conditioning_ = condition_classifier(*start.model, recipe_.reward);
    trainer_ = std::make_unique<RewardTrainer>(
        RewardInputs{
            start.model.get(),
            conditioning_.get(),
            &ready_.train.rows,
            &ready_.held_out.rows,
            recipe_.data.shuffle},
        recipe_.reward);
    publisher_ =
        std::make_unique<RewardPublisher>(product(prepared.inputs.hashes()));
    prepared.trainer = trainer_.get();
    prepared.publisher = publisher_.get();
    prepared.on_evaluate = [this](std::int64_t) {
      return trainer_->evaluate();
    };
    return prepared;
  }

  void print_end(const RunOutcome& outcome) const override {
    const std::string directory = outcome.product.string();
    print_result("model    {}\n", directory);
    print_result(
        "logs     {}\n", (fs::path(recipe_.output) / kMetricsFile).string());
    print_result("next, as an objective of a recipe of `moft train`:\n");
    print_result("  {}\n", objective(directory));
  }

 private:
  RewardProduct product(const InputHashes& hashes) {
    RewardProduct product;
    product.model = ready_.start.model.get();
    product.trainer = trainer_.get();
    product.kind = recipe_.reward.kind;
    product.base_path = recipe_.model.path;
    product.pad_token = ready_.start.info().pad_token;
    product.pad_text = ready_.start.pad_text;
    product.provenance = {
        {"recipe", recipe_.name}, {"moft", MOFT_VERSION_STRING}};
    add_provenance(hashes, product.provenance);
    return product;
  }

  // A line of YAML.
  std::string objective(const std::string& directory) const {
    const RewardDataOptions& data = recipe_.data;
    if (recipe_.reward.kind == RewardTask::kPreference) {
      return fmt::format(
          "liked: {{preference: {{model: {}{}{}{}}}}}",
          directory,
          setting("user", data.user),
          setting("system", data.system),
          setting("text", data.text));
    }
    const bool labels = recipe_.reward.kind == RewardTask::kClassification;
    return fmt::format(
        "judged: {{classifier: {{model: {}{}{}}}}}",
        directory,
        labels ? ", label: " + ready_.start.info().labels.front() : "",
        data.premise ? setting("premise", data.premise) +
                           ", hypothesis: \"{completion}\""
                     : ", text: \"{completion}\"");
  }

  // A text as JSON writes it is YAML too.
  static std::string setting(
      const char* key, const std::optional<std::string>& text) {
    return text ? fmt::format(", {}: {}", key, nlohmann::json(*text).dump())
                : "";
  }

  void print_start(const Compute& compute) const {
    const RewardStart& start = ready_.start;
    log_info("run         {}", recipe_.output);
    log_info(
        "model       {}, {} parameters, from {}",
        start.info().model_type,
        start.parameters(),
        recipe_.model.path);
    log_info(
        "head        {}: {}",
        start.new_head ? "new" : "the model's own",
        join(start.info().labels, ", "));
    log_info(
        "rows        {} to train on, {} held out; {} steps",
        ready_.train.rows.size(),
        ready_.held_out.rows.size(),
        recipe_.reward.steps);
    for (const RewardRows* rows : {&ready_.train, &ready_.held_out}) {
      const std::string changed = rows->lengths.describe();
      if (!changed.empty()) log_warning("rows: {}", changed);
    }
    log_info("compute     {}", compute.describe());
  }

  RewardPreflight ready_;
  std::unique_ptr<Conditioning> conditioning_;
  std::unique_ptr<RewardTrainer> trainer_;
  std::unique_ptr<RewardPublisher> publisher_;
};

}  // namespace

std::unique_ptr<RecipeJob> open_reward_job(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  return std::make_unique<RewardJob>(load_reward_recipe(source, overrides));
}

}  // namespace moft
