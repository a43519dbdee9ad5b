// Settings of preference optimisation from files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/algorithms/preference_options.h"
#include "moft/core/fields.h"
#include "moft/data/data_files.h"
#include "moft/data/prompt_options.h"
#include "moft/data/too_long.h"
#include "moft/training/training_options.h"
#include "moft/training/update_options.h"

namespace moft {

// Where a row has an objective's scores of its two answers. At most one of the
// three ways; none: the field scores.<name>.
struct PreferenceObjective {
  std::optional<std::string> scores;
  std::vector<std::string> fields_of_each;
  std::optional<std::string> better;
  bool chosen_is_better = false;
  std::vector<double> range = {0.0, 1.0};

  template <class V>
  void fields(V& v) {
    v("scores",
      scores,
      Help{"the field of two numbers, [of the chosen answer, of the rejected]; "
           "null: scores.<name>, unless another way is given"});
    v("fields",
      fields_of_each,
      Help{"instead: two fields of one number each, such as [score_chosen, "
           "score_rejected]"});
    v("better",
      better,
      Help{"instead: the field of a label, which answer is better: 0 or "
           "\"chosen\", 1 or \"rejected\", null or \"tie\"; it counts as the "
           "scores 1 and 0, of a tie 0.5 each"});
    v("chosen_is_better",
      chosen_is_better,
      Help{"instead: the chosen answer of every row, as TRL's pairs have it"});
    v("range",
      range,
      Help{
          "[low, high]: the scores that count as 0 and 1; affine, never "
          "clipped",
          "score"},
      Count{2});
  }
  // CallerError for more than one way, and a range that is not low < high.
  void check(const std::string& path) const;
};

// By name, so in alphabetical order, as Objectives.
using PreferenceObjectives = std::map<std::string, PreferenceObjective>;

struct DpoDataOptions : PromptOptions, DataFiles {
  std::string chosen = "chosen";
  std::string rejected = "rejected";
  std::int64_t max_prompt_tokens = 512;
  std::int64_t max_completion_tokens = 512;
  TooLong too_long = TooLong::kError;

  template <class V>
  void fields(V& v) {
    file_fields(
        v,
        Help{"pairs to train on: files of JSON lines (.gz too), one object a "
             "line; a path, a pattern such as data/*.jsonl, or a list of them"},
        Help{"held-out pairs, never trained on: files as in train"});
    prompt_fields(v);
    v("chosen",
      chosen,
      Help{"the field of the first answer: a text, or messages, of which the "
           "last is the answer; it need not be the better one"});
    v("rejected", rejected, Help{"the field of the second answer"});
    v("max_prompt_tokens",
      max_prompt_tokens,
      Help{"longer prompts are too long", "tokens"},
      at_least(1));
    v("max_completion_tokens",
      max_completion_tokens,
      Help{"longer answers are too long; the end token counts", "tokens"},
      at_least(1));
    v("too_long", too_long, kTooLongHelp);
    shuffle_field(v);
  }
  void check(const std::string& path) const { check_prompt(path); }
};

struct DpoEvaluationOptions {
  std::optional<std::int64_t> every = 100;
  std::int64_t pairs = 256;
  std::int64_t weightings = 5;

  template <class V>
  void fields(V& v) {
    v("every",
      every,
      Help{
          "measure on held-out pairs every N steps and at the end; null: only "
          "at the end",
          "steps"},
      at_least(1));
    v("pairs",
      pairs,
      Help{"number of held-out pairs used, the first ones", "pairs"},
      at_least(1));
    v("weightings",
      weightings,
      Help{
          "points spread evenly over the simplex, which the held-out pairs "
          "take in turn",
          "weightings"},
      at_least(1));
  }
};

// What to change when a step does not fit into memory.
inline constexpr const char* kDpoMemoryCure =
    "lower dpo.pairs_per_step, data.max_prompt_tokens or "
    "data.max_completion_tokens, lower dpo.memory_budget, or take a smaller "
    "model";

struct DpoOptions : UpdateOptions, SteeringOptions, PreferenceLossOptions {
  DpoOptions() {
    steps = 1000;
    kl_strength = 0.0909;  // beta .1
    optimizer.learning_rate = 1e-6;
    optimizer.betas = {0.9, 0.999};
    checkpoint.every = 100;
  }

  std::int64_t pairs_per_step = 16;
  DpoEvaluationOptions evaluation;

  template <class V>
  void fields(V& v) {
    v("seed", seed, Help{"random seed"}, at_least(0));
    v("steps",
      steps,
      Help{"number of updates of the policy", "steps"},
      between(1, 1e9));
    v("epochs",
      epochs,
      Help{
          "instead of steps: passes over the training pairs that are left when "
          "the too long ones are skipped; steps = epochs times pairs / "
          "pairs_per_step, rounded up",
          "epochs"},
      above_up_to(0, 1e6));
    v("pairs_per_step",
      pairs_per_step,
      Help{"number of pairs in an update", "pairs"},
      between(1, 1e6));
    steering_fields(
        v,
        Help{"how many weightings a step draws; batch: one, prompt: one per "
             "pair"},
        Help{"KL strength alpha in (1 - alpha) w.R - alpha KL, above 0; DPO's "
             "beta is alpha / (1 - alpha): 0.0909 is TRL's 0.1. If kl_sampler "
             "is not fixed, this is only the default of requests that give no "
             "alpha"});
    PreferenceLossOptions::fields(v);
    update_fields(v);
    v("evaluation", evaluation, Help{"the measurement on held-out pairs"});
    v("checkpoint", checkpoint, Help{"saved states to resume from"});
  }

  void check(const std::string& path) const;
  // What steering_sampler.h and conditioning read of them.
  TrainingOptions as_training() const;
};

// CallerError for no objectives and names that are not identifiers.
void check_preference_objectives(
    const PreferenceObjectives& objectives, const std::string& path);

}  // namespace moft
