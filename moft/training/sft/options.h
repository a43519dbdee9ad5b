// Settings of supervised finetuning.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/data/data_files.h"
#include "moft/data/prompt_options.h"
#include "moft/data/too_long.h"
#include "moft/models/random/options.h"
#include "moft/training/update_options.h"

namespace moft {

// What to finetune: `path` or `random`.
struct SftModelOptions {
  std::optional<std::string> path;
  std::optional<std::string> adapter;
  std::optional<RandomModelOptions> random;

  template <class V>
  void fields(V& v) {
    v("path",
      path,
      Help{"a model to finetune: a Hugging Face directory or a GGUF file"},
      Path{});
    v("adapter",
      adapter,
      Help{"a PEFT LoRA directory that is merged into path when it is read"},
      Path{});
    v("random",
      random,
      Help{"a new model of this shape with random weights, drawn from "
           "sft.seed"});
  }
  void check(const std::string& path_of_this) const;
};

struct SftDataOptions : PromptOptions, DataFiles {
  std::optional<std::string> completion_template;
  std::int64_t max_prompt_tokens = 512;
  std::int64_t max_completion_tokens = 128;
  TooLong too_long = TooLong::kError;

  // TRL's name for it where no template is given.
  std::string completion_text() const {
    return completion_template.value_or("{completion}");
  }

  template <class V>
  void fields(V& v) {
    file_fields(
        v,
        Help{"pairs or dialogues to train on: files of JSON lines (.gz too), "
             "one "
             "object a "
             "line; a path, a pattern such as data/*.jsonl, or a list of them"},
        Help{"held-out pairs, never trained on: files as in train"});
    prompt_fields(v);
    v("completion_template",
      completion_template,
      Help{"what the model learns to answer, with {name} as in the prompt; an "
           "end token is added unless it writes one at its end; null: the "
           "assistant's turns of a dialogue, else the text `completion`"});
    v("max_prompt_tokens",
      max_prompt_tokens,
      Help{"longer prompts are too long", "tokens"},
      at_least(1));
    v("max_completion_tokens",
      max_completion_tokens,
      Help{"longer completions are too long; the end token counts", "tokens"},
      at_least(1));
    v("too_long", too_long, kTooLongHelp);
    shuffle_field(v);
  }
  void check(const std::string& path) const;
};

struct SftEvaluationOptions {
  std::optional<std::int64_t> every = 100;
  std::int64_t pairs = 256;

  template <class V>
  void fields(V& v) {
    v("every",
      every,
      Help{
          "measure the held-out loss every N steps and at the end; null: only "
          "at the end",
          "steps"},
      at_least(1));
    v("pairs",
      pairs,
      Help{"number of held-out pairs used, the first ones", "pairs"},
      at_least(1));
  }
};

// What to change when a step does not fit into memory.
inline constexpr const char* kSftMemoryCure =
    "lower sft.pairs_per_step, data.max_prompt_tokens or "
    "data.max_completion_tokens, lower sft.memory_budget, or take a smaller "
    "model";

struct SftOptions : UpdateOptions {
  SftOptions() {
    steps = 1000;
    checkpoint.every = 100;
  }

  std::int64_t pairs_per_step = 32;
  SftEvaluationOptions evaluation;

  template <class V>
  void fields(V& v) {
    v("seed", seed, Help{"random seed"}, at_least(0));
    v("steps",
      steps,
      Help{"number of updates of the model", "steps"},
      between(1, 1e9));
    v("epochs",
      epochs,
      Help{
          "instead of steps: passes over the training pairs that are left "
          "when the too long ones are skipped; steps = epochs times pairs / "
          "pairs_per_step, rounded up",
          "epochs"},
      above_up_to(0, 1e6));
    v("pairs_per_step",
      pairs_per_step,
      Help{"number of pairs in an update", "pairs"},
      between(1, 1e6));
    update_fields(v);
    v("evaluation", evaluation, Help{"the loss on held-out pairs"});
    v("checkpoint", checkpoint, Help{"saved states to resume from"});
  }

  void check(const std::string& path) const;
};

}  // namespace moft
