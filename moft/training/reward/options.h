// Settings of training a reward model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/conditioning/conditioning_options.h"
#include "moft/core/fields.h"
#include "moft/data/data_files.h"
#include "moft/data/too_long.h"
#include "moft/training/update_options.h"

namespace moft {

enum class RewardTask { kClassification, kPreference, kRegression };
constexpr auto enum_names(RewardTask) {
  return EnumNames<RewardTask, 3>{{
      {RewardTask::kClassification, "classification"},
      {RewardTask::kPreference, "preference"},
      {RewardTask::kRegression, "regression"},
  }};
}

struct RewardModelOptions {
  std::string path;

  template <class V>
  void fields(V& v) {
    v("path",
      path,
      Help{
          "what to start from: a Hugging Face directory of a classifier, whose "
          "head is kept where its labels fit, or of an encoder or a language "
          "model without one"},
      Required{},
      Path{});
  }
};

struct RewardDataOptions : DataFiles {
  std::optional<std::string> premise;
  std::optional<std::string> hypothesis;
  std::optional<std::string> text;
  std::string label = "label";
  std::optional<std::string> user;
  std::optional<std::string> system;
  std::string chosen = "chosen";
  std::string rejected = "rejected";
  std::optional<std::string> margin;
  std::optional<std::int64_t> max_tokens;
  TooLong too_long = TooLong::kError;

  template <class V>
  void fields(V& v) {
    file_fields(
        v,
        Help{"rows to train on: files of JSON lines (.gz too), one object a "
             "line; a path, a pattern such as data/*.jsonl, or a list of them"},
        Help{"held-out rows, never trained on: files as in train"});
    v("premise",
      premise,
      Help{"first text of a pair, with {name} for a row's field; null: the "
           "model reads `text`"});
    v("hypothesis",
      hypothesis,
      Help{"second text of a pair; null: \"{hypothesis}\""});
    v("text",
      text,
      Help{"one text in place of a pair; null: \"{text}\". With reward.kind: "
           "preference, the whole text that the model reads, with {completion} "
           "for the chosen or the rejected answer"});
    v("label",
      label,
      Help{"the field of a row's label, a text or a whole number; with "
           "reward.kind: regression, of its number"});
    v("user",
      user,
      Help{"with reward.kind: preference, what the answers answer; null: the "
           "row's dialogue, else \"{prompt}\", else answers are whole texts"});
    v("system",
      system,
      Help{"with reward.kind: preference, the system message for the model's "
           "chat template, where a dialogue has none; null: none"});
    v("chosen",
      chosen,
      Help{"with reward.kind: preference, the field of the better answer: a "
           "text, or messages with or without the prompt's before them"});
    v("rejected",
      rejected,
      Help{"with reward.kind: preference, the field of the worse answer"});
    v("margin",
      margin,
      Help{"with reward.kind: preference, the field of a number by which the "
           "better answer must win; null: there is none"});
    v("max_tokens",
      max_tokens,
      Help{
          "longer texts are too long, special tokens included; null: what the "
          "model reads",
          "tokens"},
      at_least(8));
    v("too_long",
      too_long,
      Help{"a row that is too long; error: names it and stops before the first "
           "step, skip: leaves it out, truncate_left, truncate_right: cut the "
           "beginning or the end off its text, of a pair off the premise. What "
           "was skipped or cut is counted and the first ones are named"});
    shuffle_field(v);
  }
  // Throws CallerError for a text beside a pair and a hypothesis alone.
  void check(const std::string& path) const;
};

struct RewardEvaluationOptions {
  std::optional<std::int64_t> every = 100;
  std::optional<std::int64_t> rows;

  template <class V>
  void fields(V& v) {
    v("every",
      every,
      Help{
          "measure on held-out rows every N steps and at the end; null: only "
          "at the end",
          "steps"},
      at_least(1));
    v("rows",
      rows,
      Help{"number of held-out rows used, the first ones; null: all", "rows"},
      at_least(1));
  }
};

// What to change when a step does not fit into memory.
inline constexpr const char* kRewardMemoryCure =
    "lower reward.rows_per_step or data.max_tokens, lower "
    "reward.memory_budget, or take a smaller model";

struct RewardTrainingOptions : UpdateOptions {
  RewardTrainingOptions() {
    steps = 1000;
    optimizer.learning_rate = 5e-5;
    optimizer.betas = {0.9, 0.999};
    checkpoint.every = 100;
  }

  RewardTask kind = RewardTask::kClassification;
  std::vector<std::string> labels;
  double centring = 0.0;
  std::optional<LoraOptions> lora;
  std::int64_t rows_per_step = 32;
  std::optional<std::int64_t> early_stopping;
  RewardEvaluationOptions evaluation;

  template <class V>
  void fields(V& v) {
    v("kind",
      kind,
      Help{
          "what is learned; classification: a label of each row (cross "
          "entropy), preference: which of two answers is better (Bradley-Terry "
          "on one score), regression: a number (mean squared error)"},
      Required{});
    v("labels",
      labels,
      Help{"with kind: classification, the labels in their order; empty: those "
           "of the model's own head, else those of the training rows"});
    v("centring",
      centring,
      Help{"with kind: preference, factor of the squared sum of a pair's two "
           "scores in the loss, which keeps scores near 0 (TRL's "
           "center_rewards_coefficient); 0: none"},
      at_least(0));
    v("lora",
      lora,
      Help{"train low-rank adapters and the head, and write them merged; null: "
           "all weights are trained"});
    v("seed",
      seed,
      Help{"random seed, of a new head, adapters and order"},
      at_least(0));
    v("steps",
      steps,
      Help{"number of updates of the model", "steps"},
      between(1, 1e9));
    v("epochs",
      epochs,
      Help{
          "instead of steps: passes over the training rows that are left when "
          "the too long ones are skipped; steps = epochs times rows / "
          "rows_per_step, rounded up",
          "epochs"},
      above_up_to(0, 1e6));
    v("rows_per_step",
      rows_per_step,
      Help{"number of rows in an update", "rows"},
      between(1, 1e6));
    update_fields(v);
    v("early_stopping",
      early_stopping,
      Help{
          "stop after this many evaluations in a row whose held-out loss was "
          "not below the lowest, and write the model of the lowest; null: "
          "train all steps and write the last model",
          "evaluations"},
      at_least(1));
    v("evaluation", evaluation, Help{"the measurement on held-out rows"});
    v("checkpoint", checkpoint, Help{"saved states to resume from"});
  }

  void check(const std::string& path) const;
};

// What has to hold between the two sections. CallerError.
void check_reward_sections(
    const RewardDataOptions& data, const RewardTrainingOptions& reward);

}  // namespace moft
