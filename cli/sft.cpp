// `moft sft`: pairs of prompt and completion become a model, an ordinary
// Hugging Face directory that `moft train` starts from.
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
#include "moft/training/run.h"
#include "moft/training/run_directory.h"
#include "moft/training/sft/trainer.h"

#include "cli/command.h"
#include "cli/result.h"
#include "cli/run_command.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What a resumed run may also differ in; see train.cpp.
constexpr const char* kFreeKeys[] = {
    "sft.steps", "sft.evaluation", "sft.checkpoint"};

bool is_free(const std::string& key) {
  return is_free_key(kFreeKeys, key);
}

void check_same_recipe(const Checkpoint& checkpoint, const SftRecipe& now) {
  const auto before = recipe_of<SftRecipe>(checkpoint);
  check_same_options(checkpoint, before, now, is_free);
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
  return inputs;
}

class SftCommand : public Command {
 public:
  void declare(Parser& parser) override {
    add_run_arguments(
        parser,
        arguments_,
        "A YAML file or a shipped recipe, with sections `model` and `sft`");
  }

  int run() override {
    catch_interrupts();
    const RecipeSource source = find_recipe(arguments_.recipe);
    recipe_ = load_sft_recipe(source, arguments_.overrides);
    resolve_paths(recipe_, source);
    refuse_policies(recipe_);
    output_ = settle_output(arguments_.output, recipe_);
    make_paths_absolute(recipe_);
    const RunPlan plan = plan_of(RunKind::kSft, recipe_);
    check_output(arguments_.output, output_, plan);
    const Compute compute = use_compute(recipe_.compute);
    SftPreflight ready = check_finetuning(
        recipe_,
        {arguments_.recipe, begins_by(arguments_.output), compute.load});
    ready.findings.settle();
    const RunLock lock(recipe_.output);
    const auto resume = open_output(arguments_.output, output_, plan);
    if (resume) check_same_recipe(*resume, recipe_);
    return finetune(std::move(ready), compute, resume);
  }

 private:
  int finetune(
      SftPreflight ready,
      const Compute& compute,
      const std::optional<Checkpoint>& resume) {
    SftStart& start = ready.start;
    const RunInputs inputs = read_inputs(recipe_, start);
    check_resumed(resume, inputs.hashes(), compute);
    const fs::path base_path = start.tokenizer_folder;
    print_start(start, ready.train, ready.held_out, compute);
    SteeredPolicy policy(
        std::move(start.model),
        start.tokenizer,
        make_definition(inputs.hashes()),
        static_cast<std::uint64_t>(recipe_.sft.seed));
    SftTrainer trainer(
        {&policy,
         &ready.train.pairs,
         &ready.held_out.pairs,
         recipe_.data.shuffle},
        recipe_.sft);
    RunSetup setup =
        make_run_setup(recipe_, print_options(recipe_), inputs, compute);
    setup.kind = RunKind::kSft;
    setup.on_evaluate = [&](std::int64_t) { return trainer.evaluate(); };
    ModelPublisher publisher(policy, sft_steering(), base_path);
    clear_output(arguments_.output, output_);
    Run run(std::move(setup), trainer, publisher, resume);
    return print_end(run.run());
  }

  PolicyDefinition make_definition(const InputHashes& hashes) const {
    PolicyDefinition definition = sft_definition(recipe_.data.prompt_template);
    definition.provenance = {
        {"recipe", recipe_.name}, {"moft", MOFT_VERSION_STRING}};
    for (const auto& [name, hash] : hashes)
      definition.provenance["xxh3 " + name] = hash;
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
    log_info(
        "pairs       {} to train on, {} held out; {} steps",
        train.pairs.size(),
        held_out.pairs.size(),
        recipe_.sft.steps);
    for (const SftPairs* pairs : {&train, &held_out}) {
      const std::string changed = pairs->lengths.describe();
      if (!changed.empty()) log_warning("pairs: {}", changed);
    }
    log_info(
        "end token   {}, where the completion template writes none",
        quote_text(start.tokenizer->token_bytes(completion_end(
            recipe_.data.prompt_template, *start.tokenizer, info))));
    log_info("compute     {}", compute.describe());
  }

  int print_end(const RunOutcome& outcome) const {
    if (!outcome.finished) {
      return print_stopped(
          outcome, command_line("sft", arguments_, recipe_.output));
    }
    const std::string directory = outcome.product.string();
    print_result("model    {}\n", directory);
    print_result(
        "logs     {}\n", (fs::path(recipe_.output) / kMetricsFile).string());
    print_result("next:\n  moft train RECIPE policy.model={}\n", directory);
    print_result("  moft generate {} --prompt TEXT\n", directory);
    return 0;
  }

  RunArguments arguments_;
  SftRecipe recipe_;
  RunOutput output_;
};

}  // namespace

std::unique_ptr<Command> make_sft_command() {
  return std::make_unique<SftCommand>();
}

}  // namespace moft
