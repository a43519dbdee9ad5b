// What the rewards of a recipe read: files, and fields of the examples.
#include "moft/rewards/reward_inputs.h"

#include <fmt/format.h>

#include "moft/core/errors.h"

namespace moft {

void check_reward_fields(
    const Objectives& objectives, const std::vector<Example>& examples) {
  for (const auto& [name, objective] : objectives) {
    const RewardKind& kind = objective.kind();
    if (!kind.example_fields) continue;
    for (const std::string& field : kind.example_fields(objective.chosen())) {
      for (const Example& example : examples)
        text_field(example, field, "objective '" + name + "'");
    }
  }
}

void check_reward_files(const Objectives& objectives) {
  for (const auto& [name, objective] : objectives) {
    const RewardKind& kind = objective.kind();
    if (!kind.check_files) continue;
    try {
      kind.check_files(objective.chosen());
    } catch (const CallerError& error) {
      throw_caller_error("objective '{}': {}", name, error.what());
    }
  }
}

std::vector<RewardFile> reward_files(const Objectives& objectives) {
  std::vector<RewardFile> all;
  for (const auto& [name, objective] : objectives) {
    const RewardKind& kind = objective.kind();
    for (RewardFile& file : kind.files(objective.chosen())) {
      file.key = fmt::format("objectives.{}.{}.{}", name, kind.name, file.key);
      all.push_back(std::move(file));
    }
  }
  return all;
}

std::vector<std::string> reward_warnings(
    const Objectives& objectives, const std::vector<Example>& examples) {
  std::vector<std::string> sentences;
  for (const auto& [name, objective] : objectives) {
    const RewardKind& kind = objective.kind();
    if (!kind.warnings) continue;
    for (const auto& said : kind.warnings(objective.chosen(), examples))
      sentences.push_back(fmt::format("objective '{}': {}", name, said));
  }
  return sentences;
}

}  // namespace moft
