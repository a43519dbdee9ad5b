// What has to hold between the settings of `moft sft`.
#include "moft/training/sft/options.h"

#include "moft/core/errors.h"

namespace moft {

void SftModelOptions::check(const std::string& path_of_this) const {
  if (path.has_value() == random.has_value()) {
    throw_caller_error(
        "{}path and {}random: give exactly one of the two",
        path_of_this,
        path_of_this);
  }
  if (adapter && !path) {
    throw_caller_error(
        "{}adapter: an adapter needs the model that it was trained on; give "
        "{}path",
        path_of_this,
        path_of_this);
  }
}

void SftDataOptions::check(const std::string& path) const {
  check_prompt(path);
  if (prompt_template.has_value() != completion_template.has_value()) {
    throw_caller_error(
        "{}prompt_template and {}completion_template: give both, or none of "
        "the two for rows that are dialogues or have `prompt` and `completion`",
        path,
        path);
  }
  if (!completion_template) return;
  try {
    PromptTemplate parsed(*completion_template);
  } catch (const CallerError& error) {
    throw_caller_error("{}completion_template: {}", path, error.what());
  }
}

void SftOptions::check(const std::string& path) const {
  check_updates(path, "pairs_per_step", pairs_per_step);
}

}  // namespace moft
