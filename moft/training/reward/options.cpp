// What has to hold between the settings of `moft reward train`.
#include "moft/training/reward/options.h"

#include <set>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/prompt_template.h"
#include "moft/rewards/reward_template.h"

namespace moft {

void RewardDataOptions::check(const std::string& path) const {
  check_text_or_pair(path, text, premise, hypothesis);
  check_text_or_messages(path, text, user, system);
  const std::pair<const char*, const std::optional<std::string>&> templates[] =
      {{"premise", premise},
       {"hypothesis", hypothesis},
       {"text", text},
       {"user", user}};
  for (const auto& [key, words] : templates) {
    if (!words) continue;
    try {
      PromptTemplate parsed(*words);
    } catch (const CallerError& error) {
      throw_caller_error("{}{}: {}", path, key, error.what());
    }
  }
}

void RewardTrainingOptions::check(const std::string& path) const {
  check_updates(path, "rows_per_step", rows_per_step);
  const std::set<std::string> distinct(labels.begin(), labels.end());
  if (labels.size() == 1 || distinct.size() != labels.size()) {
    throw_caller_error(
        "{}labels is [{}]; give at least two different ones",
        path,
        join(labels, ", "));
  }
  if (!labels.empty() && kind != RewardTask::kClassification) {
    throw_caller_error(
        "{0}labels is given, but {0}kind is {1}, which has one output; leave "
        "the labels out",
        path,
        enum_name(kind));
  }
  if (centring != 0.0 && kind != RewardTask::kPreference) {
    throw_caller_error(
        "{0}centring is given, but {0}kind is {1}; it is part of the loss of "
        "preferences: leave it out",
        path,
        enum_name(kind));
  }
  if (early_stopping && !evaluation.every) {
    throw_caller_error(
        "{0}early_stopping is given, but {0}evaluation.every is null; give a "
        "number of steps after which to evaluate",
        path);
  }
}

void check_reward_sections(
    const RewardDataOptions& data, const RewardTrainingOptions& reward) {
  const bool pairs = reward.kind == RewardTask::kPreference;
  if (pairs && (data.premise || data.hypothesis)) {
    throw_caller_error(
        "data.premise is given, but reward.kind is preference; give data.user, "
        "which the answers answer, or data.text");
  }
  if (!pairs && (data.user || data.system || data.margin)) {
    throw_caller_error(
        "data.{} is given, but reward.kind is {}; give data.premise and "
        "data.hypothesis, or data.text",
        data.user     ? "user"
        : data.system ? "system"
                      : "margin",
        enum_name(reward.kind));
  }
}

}  // namespace moft
