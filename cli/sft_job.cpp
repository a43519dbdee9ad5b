// Recipes of `moft sft`: pairs of prompt and completion become a model, an
// ordinary Hugging Face directory that `moft train` starts from.
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/core/version.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/sft_recipe.h"
#include "moft/recipes/start.h"
#include "moft/training/run_directory.h"
#include "moft/training/sft/trainer.h"

#include "cli/recipe_job.h"
#include "cli/result.h"
#include "cli/run_output.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What a resumed run may also differ in; see train_job.cpp.
constexpr const char* kFreeKeys[] = {
    "sft.steps", "sft.evaluation", "sft.checkpoint"};

void check_same_recipe(const Checkpoint& checkpoint, const SftRecipe& now) {
  const auto before = recipe_of<SftRecipe>(checkpoint);
  check_same_options(checkpoint, before, now, kFreeKeys);
  if (before.model.adapter.has_value() != now.model.adapter.has_value())
    throw_other_recipe(checkpoint, "model.adapter");
  check_steps(
      checkpoint,
      {"sft", before.sft.steps, now.sft.steps, now.sft.schedule.kind});
}

// Everything that decides the result.
RunInputs read_inputs(const SftRecipe& recipe, const SftStart& start) {
  RunInputs inputs;
  inputs.add_model("base", start.model);
  inputs.add_tokenizer("", start.tokenizer_folder);
  inputs.add_files("data.train", recipe.data.train);
  inputs.add_chat(recipe.data);
  return inputs;
}

class SftJob : public JobOf<SftRecipe> {
 public:
  explicit SftJob(SftRecipe recipe) : JobOf(RunKind::kSft, std::move(recipe)) {}

  void resolve_paths(const RecipeSource& source) override {
    moft::resolve_paths(recipe_, source);
    refuse_policies(recipe_);
  }

  CheckedRecipe check(const PreflightOptions& options) override {
    ready_ = check_finetuning(recipe_, options);
    return {
        ready_.findings,
        fmt::format(
            "{} and {} pairs",
            ready_.train.pairs.size(),
            ready_.held_out.pairs.size())};
  }

  void check_same_recipe(const Checkpoint& checkpoint) const override {
    moft::check_same_recipe(checkpoint, recipe_);
  }

  PreparedRun prepare(
      const Compute& compute,
      const std::optional<Checkpoint>& resume,
      const JoinGroup& /*join*/) override {
    SftStart& start = ready_.start;
    PreparedRun prepared;
    prepared.inputs = read_inputs(recipe_, start);
    check_resumed(resume, prepared.inputs.hashes(), compute);
    print_start(start, ready_.train, ready_.held_out, compute);
    policy_ = std::make_unique<SteeredPolicy>(
        std::move(start.model),
        start.tokenizer,
        make_definition(prepared.inputs.hashes()),
        static_cast<std::uint64_t>(recipe_.sft.seed));
    trainer_ = std::make_unique<SftTrainer>(
        SftInputs{
            policy_.get(),
            &ready_.train.pairs,
            &ready_.held_out.pairs,
            recipe_.data.shuffle},
        recipe_.sft);
    publisher_ = std::make_unique<ModelPublisher>(
        *policy_, sft_steering(), start.tokenizer_folder);
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
    print_result("next:\n  moft train RECIPE policy.model={}\n", directory);
    print_result("  moft generate {} --prompt TEXT\n", directory);
  }

 private:
  PolicyDefinition make_definition(const InputHashes& hashes) const {
    const PromptSpec prompt = recipe_.data.spec();
    PolicyDefinition definition = sft_definition(prompt.prompt_template);
    definition.chat = prompt.chat;
    definition.provenance = {
        {"recipe", recipe_.name}, {"moft", MOFT_VERSION_STRING}};
    add_provenance(hashes, definition.provenance);
    return definition;
  }

  void print_start(
      const SftStart& start,
      const SftPairs& train,
      const SftPairs& held_out,
      const Compute& compute) const {
    const ModelInfo& info = start.model.model->info();
    log_info("run         {}", recipe_.output);
    log_info(
        "model       {}, {} parameters, {}",
        info.family,
        info.parameters,
        recipe_.model.path ? "from " + *recipe_.model.path
                           : std::string("with random weights"));
    if (recipe_.model.adapter)
      log_info("adapter     {}, merged into it", *recipe_.model.adapter);
    log_info(
        "pairs       {} to train on, {} held out; {} steps",
        train.pairs.size(),
        held_out.pairs.size(),
        recipe_.sft.steps);
    for (const SftPairs* pairs : {&train, &held_out}) {
      const std::string changed = pairs->lengths.describe();
      if (!changed.empty()) log_warning("pairs: {}", changed);
    }
    const PromptSpec prompt = recipe_.data.spec();
    if (!prompt.chat) {
      log_info(
          "end token   {}, where the completion template writes none",
          quote_text(start.tokenizer->token_bytes(
              completion_end(prompt.prompt_template, *start.tokenizer, info))));
    }
    log_info("compute     {}", compute.describe());
  }

  SftPreflight ready_;
  std::unique_ptr<SteeredPolicy> policy_;
  std::unique_ptr<SftTrainer> trainer_;
  std::unique_ptr<ModelPublisher> publisher_;
};

}  // namespace

std::unique_ptr<RecipeJob> open_sft_job(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  return std::make_unique<SftJob>(load_sft_recipe(source, overrides));
}

}  // namespace moft
