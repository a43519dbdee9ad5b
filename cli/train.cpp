// `moft train`: a recipe becomes a steerable policy.
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/policy_start.h"
#include "moft/training/online.h"
#include "moft/training/run.h"
#include "moft/training/run_directory.h"

#include "cli/build_info.h"
#include "cli/command.h"
#include "cli/compute.h"
#include "cli/preflight.h"
#include "cli/recipe.h"
#include "cli/recipe_examples.h"
#include "cli/result.h"
#include "cli/run_command.h"
#include "cli/signals.h"
#include "cli/start.h"
#include "cli/train_evaluation.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What a resumed run may also differ in: it changes no update. Paths are free
// to move, since the contents are compared by their hashes; `steps` may grow.
constexpr const char* kFreeKeys[] = {
    "policy.model",
    "policy.start",
    "data.train",
    "data.evaluation",
    "data.final",
    "training.steps",
    "training.guards",
    "training.evaluation",
    "training.checkpoint",
    "training.log_samples",
    "training.value.model"};

bool is_free(const std::string& key) {
  return is_free_key(kFreeKeys, key) || key.ends_with(".similarity.model");
}

void make_paths_absolute(Recipe& recipe) {
  make_absolute(recipe.policy.model);
  if (recipe.policy.start) make_absolute(*recipe.policy.start);
  make_absolute(recipe.data.train);
  make_absolute(recipe.data.evaluation);
  make_absolute(recipe.data.final);
  if (recipe.training.value.model) make_absolute(*recipe.training.value.model);
  for (auto& [name, objective] : recipe.objectives) {
    if (objective.similarity) make_absolute(objective.similarity->model);
  }
}

// The model of the value network; null when the recipe wants none.
LoadedModel load_value_model(const Recipe& recipe, const LoadOptions& options) {
  const TrainingOptions& training = recipe.training;
  if (training.baseline != Baseline::kValue) return {};
  return load_language_model(
      training.value.model.value_or(recipe.policy.model), options);
}

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

// Everything that training reads.
RunInputs read_inputs(
    const Recipe& recipe, const LoadedModel& base, const LoadedModel& value) {
  RunInputs inputs;
  inputs.add_model("base", base);
  inputs.add_tokenizer("base ", recipe.policy.model);
  if (recipe.training.value.model) inputs.add_model("value", value);
  if (recipe.policy.start) {
    inputs.add_file(
        "policy.start", steering_file_of(*recipe.policy.start).string());
  }
  inputs.add_files("data.train", recipe.data.train);
  for (const auto& [name, objective] : recipe.objectives) {
    if (!objective.similarity) continue;
    inputs.add_encoder(
        "objectives." + name + ".similarity.model",
        objective.similarity->model);
  }
  return inputs;
}

// The paths that it reads, by their keys.
RunPlan plan_of(const Recipe& recipe) {
  RunPlan plan{RunKind::kTrain, {}};
  plan.add("policy.model", {recipe.policy.model});
  plan.add("data.train", recipe.data.train);
  plan.add("data.evaluation", recipe.data.evaluation);
  plan.add("data.final", recipe.data.final);
  if (recipe.policy.start) plan.add("policy.start", {*recipe.policy.start});
  if (recipe.training.value.model)
    plan.add("training.value.model", {*recipe.training.value.model});
  for (const auto& [name, objective] : recipe.objectives) {
    if (objective.similarity) {
      plan.add(
          "objectives." + name + ".similarity.model",
          {objective.similarity->model});
    }
  }
  return plan;
}

void check_same_recipe(const Checkpoint& checkpoint, const Recipe& now) {
  const auto before = recipe_of<Recipe>(checkpoint);
  check_same_options(checkpoint, before, now, is_free);
  if (before.policy.start.has_value() != now.policy.start.has_value())
    throw_other_recipe(checkpoint, "policy.start");
  check_steps(
      checkpoint,
      {"training",
       before.training.steps,
       now.training.steps,
       now.training.schedule.kind});
}

PolicyDefinition make_definition(
    const Recipe& recipe, const InputHashes& hashes) {
  PolicyDefinition definition = definition_of(recipe);
  definition.provenance = {
      {"recipe", recipe.name},
      {"base", fs::path(recipe.policy.model).filename().string()},
      {"moft", kMoftVersion}};
  for (const auto& [name, hash] : hashes)
    definition.provenance["xxh3 " + name] = hash;
  return definition;
}

class TrainCommand : public Command {
 public:
  void declare(Parser& parser) override {
    add_run_arguments(parser, arguments_, "A YAML file or a shipped recipe");
  }

  int run() override {
    catch_interrupts();
    prepare();
    const RunPlan plan = plan_of(recipe_);
    check_output(arguments_.output, output_, plan);
    const Compute compute = use_compute(recipe_.compute);
    TrainPreflight ready = check_training(
        recipe_, {arguments_.recipe, begins_by(arguments_.output)});
    ready.findings.settle();
    examples_ = std::move(ready.train);
    const RunLock lock(recipe_.output);
    const std::optional<Checkpoint> resume =
        open_output(arguments_.output, output_, plan);
    if (resume) check_same_recipe(*resume, recipe_);
    return train(compute, resume);
  }

 private:
  // The effective recipe, with absolute paths and the output decided.
  void prepare() {
    const RecipeSource source = find_recipe(arguments_.recipe);
    recipe_ = load_recipe(source, arguments_.overrides);
    resolve_paths(recipe_, source);
    refuse_policies(recipe_);
    resolve_start(recipe_, source);
    output_ = settle_output(arguments_.output, recipe_);
    make_paths_absolute(recipe_);
  }

  int train(const Compute& compute, const std::optional<Checkpoint>& resume) {
    LoadedModel base = load_language_model(recipe_.policy.model, compute.load);
    auto tokenizer = load_base_tokenizer(recipe_.policy.model, base);
    LoadedModel value = load_value_model(recipe_, compute.load);
    const RunInputs inputs = read_inputs(recipe_, base, value);
    if (resume) check_words_place(*resume, recipe_);
    check_resumed(resume, inputs.hashes(), compute);
    const auto seed = static_cast<std::uint64_t>(recipe_.training.seed);
    SteeredPolicy policy(
        std::move(base),
        std::move(tokenizer),
        make_definition(recipe_, inputs.hashes()),
        seed);
    const ObjectiveSet objectives =
        make_objectives(recipe_.objectives, {}, compute.load.device);
    const std::vector<Example>& examples = examples_.examples;
    OnlineTrainer trainer(
        {&policy,
         &objectives,
         &examples,
         recipe_.data.max_prompt_tokens,
         recipe_.data.shuffle,
         std::move(value.model)},
        recipe_.training,
        make_weighting_sampler(
            recipe_.weightings, objectives.names(), "weightings"));
    print_start(policy, examples.size(), compute, resume);
    if (recipe_.policy.start && !resume)
      start_policy(policy, *recipe_.policy.start);
    if (trainer.value() != nullptr) print_value(trainer.value()->model());
    RunSetup setup =
        make_run_setup(recipe_, print_options(recipe_), inputs, compute);
    setup.kind = RunKind::kTrain;
    setup.on_evaluate = make_training_evaluation(recipe_, policy, objectives);
    PolicyPublisher publisher(make_product(policy, trainer));
    if (arguments_.output.overwrite) publisher.require_finite();
    clear_output(arguments_.output, output_);
    Run run(std::move(setup), trainer, publisher, resume);
    return print_end(run.run(), policy);
  }

  PolicyProduct make_product(
      SteeredPolicy& policy, const OnlineTrainer& trainer) const {
    PolicyProduct product;
    product.policy = &policy;
    product.prompt = trainer.prompts().prompt(0);
    product.base_path = recipe_.policy.model;
    product.card.name = recipe_.name;
    product.card.description = recipe_.description;
    product.card.base_model = recipe_.policy.model;
    product.answers_per_step =
        recipe_.training.prompts_per_step * recipe_.training.samples_per_prompt;
    return product;
  }

  void print_start(
      const SteeredPolicy& policy,
      std::size_t examples,
      const Compute& compute,
      const std::optional<Checkpoint>& resume) const {
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
    print_knobs(policy);
    log_info("examples    {}; {} steps", examples, recipe_.training.steps);
    const std::string changed = examples_.report.describe();
    if (!changed.empty()) log_warning("prompts: {}", changed);
    log_info("compute     {}", compute.describe());
    if (resume) {
      log_info(
          "resumed     after step {}, from {}",
          resume->state.step,
          resume->directory.string());
    }
  }

  void print_value(const ValueModel& value) const {
    const ValueOptions& options = recipe_.training.value;
    log_info(
        "value       a network of {} parameters, {} from the {} prompt, "
        "learning rate {}",
        value.parameters(),
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
          f_mix_name(range.f_mix()));
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
          policy.prompt_words(w),
          policy.count_word_tokens(w));
    }
  }

  int print_end(const RunOutcome& outcome, const SteeredPolicy& policy) const {
    if (!outcome.finished) {
      return print_stopped(
          outcome, command_line("train", arguments_, recipe_.output));
    }
    const auto names = policy.names();
    const fs::path directory = outcome.product;
    const std::string weights =
        format_weighting(Weighting::uniform(names.size()), names);
    print_result("policy   {}\n", directory.string());
    print_result(
        "logs     {}\n", (fs::path(recipe_.output) / kMetricsFile).string());
    print_result("next:\n  moft evaluate {}\n", recipe_.output);
    print_result("  moft sweep {} --prompt TEXT\n", directory.string());
    print_result(
        "  moft generate {} --weights {} --prompt TEXT\n",
        directory.string(),
        weights);
    return 0;
  }

  RunArguments arguments_;
  Recipe recipe_;
  RunOutput output_;
  FittedExamples examples_;
};

}  // namespace

std::unique_ptr<Command> make_train_command() {
  return std::make_unique<TrainCommand>();
}

}  // namespace moft
