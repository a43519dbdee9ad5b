// The checks of a recipe of `moft reward train`.
#include "moft/recipes/reward_preflight.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/recipes/preflight_looks.h"
#include "moft/recipes/recipe_loading.h"
#include "moft/training/reward/trainer.h"

namespace moft {
namespace {

class RewardCheck {
 public:
  RewardCheck(RewardRecipe& recipe, const PreflightOptions& options)
      : recipe_(recipe), options_(options) {}

  RewardPreflight run() {
    std::vector<Example> train;
    std::vector<Example> held_out;
    const bool read =
        attempt([&] { train = read_examples(recipe_.data.train); });
    const bool read_held_out =
        attempt([&] { held_out = read_examples(recipe_.data.evaluation); });
    const bool model = read && attempt([&] {
                         result_.start =
                             start_reward_model(recipe_, train, options_.load);
                         note_model();
                       });
    if (!model) return std::move(result_);
    const bool rows = attempt(
        [&] { encode("train", recipe_.data.train, train, result_.train); });
    const bool held_out_rows = read_held_out && attempt([&] {
                                 encode(
                                     "evaluation",
                                     recipe_.data.evaluation,
                                     held_out,
                                     result_.held_out);
                               });
    if (rows && held_out_rows) warn_of_shared_rows();
    attempt([&] { check_sizes(); });
    if (rows) attempt([&] { check_memory(); });
    if (rows) attempt([&] { settle_steps(); });
    return std::move(result_);
  }

 private:
  bool attempt(const std::function<void()>& check) {
    return result_.findings.attempt(check);
  }

  void note_model() {
    const RewardStart& start = result_.start;
    result_.findings.note(
        "model",
        fmt::format(
            "{}, {} parameters, reads {} tokens",
            start.info().model_type,
            start.parameters(),
            start.info().max_tokens));
    result_.findings.note(
        "head",
        fmt::format(
            "{}: {}",
            start.new_head ? "new" : "the model's own",
            join(start.info().labels, ", ")));
  }

  void encode(
      const char* name,
      const std::vector<std::string>& files,
      const std::vector<Example>& examples,
      RewardRows& rows) {
    rows = encode_reward_rows(
        examples,
        {result_.start.reader.get(),
         result_.start.chat,
         recipe_.data,
         recipe_.reward.kind});
    result_.findings.note(
        name, describe_rows(files, rows.rows.size(), rows.lengths, "text"));
  }

  void warn_of_shared_rows() {
    std::set<TokenIds> seen;
    for (const RewardRow& row : result_.train.rows)
      seen.insert(row.texts.front().ids);
    const auto shared =
        std::ranges::count_if(result_.held_out.rows, [&](const RewardRow& row) {
          return seen.contains(row.texts.front().ids);
        });
    if (shared == 0) return;
    result_.findings.warn(fmt::format(
        "{} of {} held-out rows have a text that is among the training rows "
        "too; what is measured on them says little of other texts",
        shared,
        result_.held_out.rows.size()));
  }

  void check_sizes() {
    const std::int64_t all = result_.start.parameters();
    const RewardTrainingOptions& reward = recipe_.reward;
    const std::int64_t trained =
        reward.lora ? condition_classifier(*result_.start.model, reward)
                          ->counts()
                          .trained
                    : all;
    result_.findings.note("trained", fmt::format("{} parameters", trained));
    look_at_disk(
        result_.findings,
        recipe_.output,
        {checkpoint_bytes(trained, reward.optimizer) +
             (reward.early_stopping ? 4 * trained : 0),
         reward.checkpoint.keep,
         4 * all,
         options_.begins});
  }

  // The longest row has to fit.
  void check_memory() {
    std::int64_t longest = 0;
    for (const RewardRow& row : result_.train.rows)
      longest = std::max(longest, row.tokens());
    (void)reward_memory(
        shape_of(result_.start.model->network()), {longest}, recipe_.reward);
  }

  void settle_steps() {
    RewardTrainingOptions& reward = recipe_.reward;
    if (!reward.epochs) return;
    reward.steps = steps_of(
        *reward.epochs,
        result_.train.rows.size(),
        reward.rows_per_step,
        "reward");
    result_.findings.note(
        "steps",
        fmt::format(
            "{}, for {} epochs",
            reward.steps,
            shortest_number(*reward.epochs)));
    reward.epochs.reset();
    reward.check("reward.");
  }

  RewardRecipe& recipe_;
  const PreflightOptions& options_;
  RewardPreflight result_;
};

}  // namespace

RewardPreflight check_reward_training(
    RewardRecipe& recipe, const PreflightOptions& options) {
  return RewardCheck(recipe, options).run();
}

}  // namespace moft
