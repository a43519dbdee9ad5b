// The checks of a recipe before its first step.
#include "moft/recipes/preflight.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/data/answer_end.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/data_parts.h"
#include "moft/recipes/memory_question.h"
#include "moft/recipes/preflight_looks.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/recipes/recipe_loading.h"
#include "moft/recipes/settle_prompt.h"
#include "moft/recipes/start.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/outside/asked_by.h"
#include "moft/rewards/reward_inputs.h"
#include "moft/training/sft/trainer.h"
#include "moft/training/training_prompts.h"

namespace moft {

namespace fs = std::filesystem;

namespace {

// Prompts that two parts of the data share.
void check_overlap(
    Findings& findings,
    const PromptMaker& prompt,
    const DataParts& parts,
    const std::string& place) {
  findings.attempt([&] {
    const std::string shared = check_parts(prompt, parts, place);
    if (!shared.empty()) findings.warn(shared);
  });
}

// The weighting's words that go into every prompt, the longest of them.
std::string words_of(
    const Recipe& recipe, const std::shared_ptr<const Tokenizer>& tokenizer) {
  return longest_prompt_words(definition_of(recipe).info().prompt, *tokenizer);
}

constexpr std::int64_t kFloatBytes = 4;

// Checks a recipe of `moft train`, piece by piece.
class TrainingCheck {
 public:
  TrainingCheck(Recipe& recipe, PreflightOptions options)
      : recipe_(recipe), options_(std::move(options)) {}

  TrainPreflight run() {
    const bool model = findings().attempt([&] { open_model(); });
    // Without a template the model's own counts.
    const bool prompt = (model || recipe_.data.prompt_template) &&
                        findings().attempt([&] { settle(model); });
    const bool train = read(Split::kTrain, parts_.train);
    const bool held_out = read(Split::kEvaluation, parts_.evaluation);
    const bool final =
        !recipe_.data.final.empty() && read(Split::kFinal, parts_.final);
    if (train && held_out && prompt)
      check_overlap(findings(), maker(), parts_, options_.place);
    look_at_template(
        findings(), recipe_.data.prompt_template, "data.prompt_template");
    rewards_are_good_ = findings().attempt([&] { check_rewards(); });
    if (!model || !prompt) return std::move(result_);
    findings().attempt([&] { check_start(recipe_, base()); });
    findings().attempt([&] { check_value_model(); });
    findings().attempt([&] { check_conditioning(); });
    findings().attempt(
        [&] { words_ = words_of(recipe_, result_.models.tokenizer); });
    const bool room =
        findings().attempt([&] { check_room(limits(ExamplesFor::kTraining)); });
    if (train && room) findings().attempt([&] { fit_training(); });
    if (held_out && room) {
      findings().attempt([&] {
        result_.evaluation =
            fit_held_out(Split::kEvaluation, parts_.evaluation);
      });
    }
    if (final && room) {
      findings().attempt(
          [&] { result_.final = fit_held_out(Split::kFinal, parts_.final); });
    }
    return std::move(result_);
  }

 private:
  Findings& findings() { return result_.findings; }
  LoadedModel& base() { return result_.models.base; }
  const LoadedModel& base() const { return result_.models.base; }
  const Tokenizer& tokenizer() const { return *result_.models.tokenizer; }

  void open_model() {
    base() = load_language_model(
        recipe_.policy.model, base_options(recipe_, options_.load));
    result_.models.tokenizer =
        load_base_tokenizer(recipe_.policy.model, base());
    note_model(findings(), base(), tokenizer());
  }

  PromptMaker maker() const { return recipe_.data.settled->maker(); }

  void settle(bool model) {
    settle_prompt(
        recipe_.data,
        {"policy.model", recipe_.policy.model},
        recipe_.data.train);
    look_at_prompt(findings(), recipe_.data);
    if (model) look_at_answer_end(findings(), maker(), base(), tokenizer());
  }

  bool read(Split split, std::vector<Example>& examples) {
    return findings().attempt([&] {
      examples = read_split(recipe_.data, split);
      check_fields(examples, recipe_);
    });
  }

  void check_rewards() {
    check_reward_files(recipe_.objectives);
    const ObjectiveSet& objectives = result_.models.objectives.emplace(
        make_objectives(recipe_.objectives, {}, options_.load.device));
    if (options_.rank == 0 || !asked_by_first_rank(objectives))
      objectives.check_sources();
    findings().note("objectives", join(objectives.names(), ", "));
  }

  void warn_of_rewards() {
    for (const std::string& sentence :
         reward_warnings(recipe_.objectives, result_.train.examples)) {
      findings().warn(sentence);
    }
  }

  void check_value_model() {
    const auto& value = recipe_.training.value.model;
    if (!recipe_.training.has_value_network() || !value) return;
    LoadedModel& model = result_.models.value;
    model = load_language_model(*value, options_.load);
    value_network_ = shape_of(*model.model);
    const std::int64_t own = base().model->info().vocabulary;
    if (model.model->info().vocabulary == own) return;
    throw_caller_error(
        "training.value.model has a vocabulary of {} tokens, but the policy's "
        "has {}; give a model with the policy's tokenizer",
        model.model->info().vocabulary,
        own);
  }

  void check_conditioning() {
    const std::int64_t trained = trained_size(*base().model, recipe_);
    const TrainingOptions& training = recipe_.training;
    std::int64_t bytes = checkpoint_bytes(trained, training.optimizer);
    if (training.has_value_network())
      bytes += 2 * kFloatBytes * base().model->info().parameters;
    findings().note("trained", fmt::format("{} parameters", trained));
    look_at_disk(
        findings(),
        recipe_.output,
        {bytes,
         training.checkpoint.keep,
         trained * kFloatBytes,
         options_.begins});
  }

  PromptLimits limits(ExamplesFor purpose) const {
    return prompt_limits(
        recipe_, purpose, base().model->info().context, words_);
  }

  FittedExamples fit(std::vector<Example> examples, ExamplesFor purpose) {
    FittedExamples fitted = fit_examples(
        std::move(examples),
        maker(),
        tokenizer(),
        limits(purpose),
        recipe_.data.too_long);
    check_ids(fitted.report, base().model->info().vocabulary);
    return fitted;
  }

  void fit_training() {
    result_.train = fit(std::move(parts_.train), ExamplesFor::kTraining);
    const std::size_t kept = result_.train.examples.size();
    findings().note(
        "train", describe_rows(recipe_.data.train, kept, result_.train.report));
    if (rewards_are_good_) findings().attempt([&] { warn_of_rewards(); });
    findings().attempt([&] {
      MemoryQuestion question = memory_question(
          recipe_,
          {shape_of(*base().model), value_network_, block_bytes_of(base())},
          result_.train.report.longest,
          options_.load.device);
      question.ranks = options_.ranks;
      question.sharding = sharding_of(question);
      look_at_memory(
          findings(), question, recipe_.compute.device, options_.local_ranks);
      result_.memory = question;
    });
    TrainingOptions& training = recipe_.training;
    if (training.epochs) {
      training.steps = steps_of(
          *training.epochs, kept, training.prompts_per_step, "training");
      findings().note(
          "steps",
          fmt::format(
              "{}, for {} epochs",
              training.steps,
              shortest_number(*training.epochs)));
      training.epochs.reset();
      training.check("training.");
    }
  }

  // How many are left.
  std::size_t fit_held_out(Split split, std::vector<Example>& examples) {
    const FittedExamples fitted =
        fit(std::move(examples), ExamplesFor::kEvaluation);
    const std::size_t left = fitted.examples.size();
    const auto& files =
        split == Split::kFinal ? recipe_.data.final : recipe_.data.evaluation;
    findings().note(
        split_name(split), describe_rows(files, left, fitted.report));
    return left;
  }

  Recipe& recipe_;
  PreflightOptions options_;
  TrainPreflight result_;
  std::optional<ModelShape> value_network_;  // none: the policy's
  DataParts parts_;
  std::string words_;
  bool rewards_are_good_ = false;
};

}  // namespace

TrainPreflight check_training(Recipe& recipe, const PreflightOptions& options) {
  return TrainingCheck(recipe, options).run();
}

SftPreflight check_finetuning(
    SftRecipe& recipe, const PreflightOptions& options) {
  SftPreflight result;
  Findings& findings = result.findings;
  look_at_template(
      findings, recipe.data.prompt_template, "data.prompt_template");
  look_at_template(
      findings, recipe.data.completion_template, "data.completion_template");
  const bool model = findings.attempt([&] {
    result.start = start_finetuning(recipe, options.load);
    note_model(findings, result.start.model, *result.start.tokenizer);
    settle_prompt(
        recipe.data,
        {recipe.model.path ? "model.path" : "model.random.tokenizer",
         result.start.tokenizer_folder.string()},
        recipe.data.train);
    look_at_prompt(findings, recipe.data);
    look_at_answer_end(
        findings,
        recipe.data.settled->maker(),
        result.start.model,
        *result.start.tokenizer);
  });
  if (!model || !findings.good()) return result;
  const ModelInfo& info = result.start.model.model->info();
  DataParts parts;
  const auto read = [&](const char* name,
                        const std::vector<std::string>& files,
                        std::vector<Example>& examples,
                        SftPairs& pairs) {
    return findings.attempt([&] {
      examples = read_examples(files);
      pairs =
          encode_pairs(examples, recipe.data, *result.start.tokenizer, info);
      check_ids(pairs.lengths, info.vocabulary);
      findings.note(
          name, describe_rows(files, pairs.pairs.size(), pairs.lengths));
    });
  };
  const bool train =
      read("train", recipe.data.train, parts.train, result.train);
  const bool held_out = read(
      "evaluation", recipe.data.evaluation, parts.evaluation, result.held_out);
  if (!recipe.data.settled->chat) {
    look_at_written_ends(
        findings,
        recipe.data.completion_text(),
        parts.train,
        result.start.model,
        *result.start.tokenizer);
  } else if (train) {
    look_at_turn_ends(
        findings, result.train.pairs, *result.start.tokenizer, info);
  }
  if (train && held_out)
    check_overlap(findings, recipe.data.settled->maker(), parts, options.place);
  look_at_disk(
      findings,
      recipe.output,
      {checkpoint_bytes(info.parameters, recipe.sft.optimizer),
       recipe.sft.checkpoint.keep,
       info.parameters * kFloatBytes,
       options.begins});
  if (train) {
    findings.attempt([&] {
      check_sft_memory(
          shape_of(*result.start.model.model), result.train.pairs, recipe.sft);
    });
  }
  if (!train || !recipe.sft.epochs) return result;
  findings.attempt([&] {
    recipe.sft.steps = steps_of(
        *recipe.sft.epochs,
        result.train.pairs.size(),
        recipe.sft.pairs_per_step,
        "sft");
    findings.note(
        "steps",
        fmt::format(
            "{}, for {} epochs",
            recipe.sft.steps,
            shortest_number(*recipe.sft.epochs)));
    recipe.sft.epochs.reset();
    recipe.sft.check("sft.");
  });
  return result;
}

}  // namespace moft
