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
  if (optimizer.kind == OptimizerKind::kAdafactor &&
      optimizer.weight_decay > 0.0) {
    throw_caller_error(
        "{}optimizer.weight_decay is {}, but adafactor has none; give 0, or "
        "kind: adamw",
        path,
        optimizer.weight_decay);
  }
  if (schedule.warmup_steps > steps) {
    throw_caller_error(
        "{}schedule.warmup_steps is {}; give at most {}steps, which is {}",
        path,
        schedule.warmup_steps,
        path,
        steps);
  }
  if (gradient_accumulation > pairs_per_step) {
    throw_caller_error(
        "{}gradient_accumulation is {}; give at most {}pairs_per_step, which "
        "is {}",
        path,
        gradient_accumulation,
        path,
        pairs_per_step);
  }
}

}  // namespace moft
