// What has to hold between the settings of `moft dpo`.
#include "moft/training/dpo/options.h"

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/reward_options.h"

namespace moft {

void PreferenceObjective::check(const std::string& path) const {
  const int ways = (scores ? 1 : 0) + (fields_of_each.empty() ? 0 : 1) +
                   (better ? 1 : 0) + (chosen_is_better ? 1 : 0);
  if (ways > 1) {
    throw_caller_error(
        "{}scores, fields, better and chosen_is_better: {} of them are given; "
        "give at most one",
        path,
        ways);
  }
  if (!fields_of_each.empty() && fields_of_each.size() != 2) {
    throw_caller_error(
        "{}fields is [{}]; give two fields, of the chosen and of the rejected "
        "answer",
        path,
        join(fields_of_each, ", "));
  }
  if (!(range[0] < range[1])) {
    throw_caller_error(
        "{}range is [{}, {}]; give the lower number first",
        path,
        shortest_number(range[0]),
        shortest_number(range[1]));
  }
}

void check_preference_objectives(
    const PreferenceObjectives& objectives, const std::string& path) {
  if (objectives.empty()) {
    throw_caller_error(
        "{} is empty; give at least one, such as {{preferred: "
        "{{chosen_is_better: true}}}}",
        path);
  }
  for (const auto& entry : objectives) {
    if (is_objective_name(entry.first)) continue;
    throw_caller_error(
        "{} has the name {}; give 1 to 64 letters, digits, '_' and '-'",
        path,
        quote_text(entry.first));
  }
}

void DpoOptions::check(const std::string& path) const {
  check_updates(path, "pairs_per_step", pairs_per_step);
  if (kl_strength > 0.0) return;
  throw_caller_error(
      "{}kl_strength is 0, for which pairs teach nothing (DPO's beta is alpha "
      "/ (1 - alpha)); give a number above 0, such as 0.0909",
      path);
}

TrainingOptions DpoOptions::as_training() const {
  TrainingOptions training;
  static_cast<UpdateOptions&>(training) = *this;
  static_cast<SteeringOptions&>(training) = *this;
  training.prompts_per_step = pairs_per_step;
  training.samples_per_prompt = 2;
  return training;
}

}  // namespace moft
