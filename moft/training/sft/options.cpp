// What has to hold between the settings of `moft sft`.
#include "moft/training/sft/options.h"

#include "moft/core/errors.h"
#include "moft/data/prompt_template.h"

namespace moft {
namespace {

void check_template(const std::string& text, const std::string& key) {
  try {
    PromptTemplate parsed(text);
  } catch (const CallerError& error) {
    throw_caller_error("{}: {}", key, error.what());
  }
}

}  // namespace

void SftModelOptions::check(const std::string& path_of_this) const {
  if (path.has_value() == random.has_value()) {
    throw_caller_error(
        "{}path and {}random: give exactly one of the two",
        path_of_this,
        path_of_this);
  }
}

void SftDataOptions::check(const std::string& path) const {
  check_template(prompt_template, path + "prompt_template");
  check_template(completion_template, path + "completion_template");
}

void SftOptions::check(const std::string& path) const {
  check_updates(path, "pairs_per_step", pairs_per_step);
}

}  // namespace moft
