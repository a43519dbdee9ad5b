// The checks of a recipe of `moft dpo`.
#include "moft/recipes/dpo_preflight.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/text.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/data_parts.h"
#include "moft/recipes/preflight_looks.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/recipes/recipe_loading.h"
#include "moft/recipes/settle_prompt.h"
#include "moft/recipes/start.h"
#include "moft/training/dpo/trainer.h"

namespace moft {
namespace {

class DpoCheck {
 public:
  DpoCheck(DpoRecipe& recipe, const PreflightOptions& options)
      : recipe_(recipe), options_(options) {}

  DpoPreflight run() {
    const bool model =
        attempt([&] { open_model(); }) && attempt([&] { settle(); });
    if (!model) return std::move(result_);
    attempt([&] { check_start(recipe_.as_train(), base()); });
    attempt([&] {
      words_ = longest_prompt_words(
          definition_of(recipe_.as_train()).info().prompt, tokenizer());
    });
    DataParts parts;
    const bool train = attempt(
        [&] { read("train", recipe_.data.train, parts.train, result_.train); });
    const bool held_out = attempt([&] {
      read(
          "evaluation",
          recipe_.data.evaluation,
          parts.evaluation,
          result_.held_out);
    });
    if (train && held_out) attempt([&] { warn_of_overlap(parts); });
    attempt([&] { check_sizes(); });
    warn_of_labels();
    if (!train) return std::move(result_);
    attempt([&] {
      check_dpo_memory(
          shape_of(*base().model),
          recipe_.conditioning,
          result_.train.pairs,
          recipe_.dpo);
    });
    attempt([&] { settle_steps(); });
    return std::move(result_);
  }

 private:
  bool attempt(const std::function<void()>& check) {
    return result_.findings.attempt(check);
  }
  LoadedModel& base() { return result_.models.base; }
  const Tokenizer& tokenizer() const { return *result_.models.tokenizer; }

  void open_model() {
    base() = load_language_model(
        recipe_.policy.model, base_options(recipe_.as_train(), options_.load));
    result_.models.tokenizer =
        load_base_tokenizer(recipe_.policy.model, base());
    note_model(result_.findings, base(), tokenizer());
    result_.findings.note("objectives", join(recipe_.objective_names(), ", "));
  }

  void settle() {
    settle_prompt(
        recipe_.data,
        {"policy.model", recipe_.policy.model},
        recipe_.data.train);
    look_at_prompt(result_.findings, recipe_.data);
    look_at_answer_end(
        result_.findings, recipe_.data.settled->maker(), base(), tokenizer());
  }

  void read(
      const char* name,
      const std::vector<std::string>& files,
      std::vector<Example>& examples,
      DpoPairs& pairs) {
    examples = read_examples(files);
    const ModelInfo& info = base().model->info();
    pairs = encode_dpo_pairs(
        examples,
        {recipe_.data, recipe_.objectives, tokenizer(), info, words_});
    check_ids(pairs.lengths, info.vocabulary);
    result_.findings.note(
        name, describe_rows(files, pairs.pairs.size(), pairs.lengths));
  }

  void warn_of_overlap(const DataParts& parts) {
    const std::string shared =
        check_parts(recipe_.data.settled->maker(), parts, options_.place);
    if (!shared.empty()) result_.findings.warn(shared);
  }

  // Labels are not scores on the scale of alpha.
  void warn_of_labels() {
    const bool labels =
        std::ranges::all_of(recipe_.objectives, [](const auto& entry) {
          return entry.second.better || entry.second.chosen_is_better;
        });
    if (!labels || recipe_.dpo.target != PreferenceTarget::kBradleyTerry)
      return;
    result_.findings.warn(
        "all objectives are labels, but dpo.target is bradley_terry, which "
        "takes a label as a score and believes it in 73 of 100 cases; give "
        "dpo.target: votes, or better");
  }

  void check_sizes() {
    const std::int64_t trained =
        trained_size(*base().model, recipe_.as_train());
    result_.findings.note("trained", fmt::format("{} parameters", trained));
    look_at_disk(
        result_.findings,
        recipe_.output,
        {checkpoint_bytes(trained, recipe_.dpo.optimizer),
         recipe_.dpo.checkpoint.keep,
         4 * trained,
         options_.begins});
  }

  void settle_steps() {
    DpoOptions& dpo = recipe_.dpo;
    if (!dpo.epochs) return;
    dpo.steps = steps_of(
        *dpo.epochs, result_.train.pairs.size(), dpo.pairs_per_step, "dpo");
    result_.findings.note(
        "steps",
        fmt::format(
            "{}, for {} epochs", dpo.steps, shortest_number(*dpo.epochs)));
    dpo.epochs.reset();
    dpo.check("dpo.");
  }

  DpoRecipe& recipe_;
  const PreflightOptions& options_;
  DpoPreflight result_;
  std::string words_;
};

}  // namespace

DpoPreflight check_preference_training(
    DpoRecipe& recipe, const PreflightOptions& options) {
  return DpoCheck(recipe, options).run();
}

}  // namespace moft
