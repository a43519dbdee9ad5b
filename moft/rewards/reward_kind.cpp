// The table of reward kinds.
#include "moft/rewards/reward_kind.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/classifier_reward.h"
#include "moft/rewards/length.h"
#include "moft/rewards/outside/command_reward.h"
#include "moft/rewards/outside/http_reward.h"
#include "moft/rewards/outside/judge_reward.h"
#include "moft/rewards/outside/python_reward.h"
#include "moft/rewards/preference.h"
#include "moft/rewards/regex_reward.h"
#include "moft/rewards/reward_options.h"
#include "moft/rewards/rouge.h"
#include "moft/rewards/similarity.h"
#include "moft/rewards/verdict.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

std::deque<RewardKind>& table() {
  static std::deque<RewardKind> kinds = [] {
    const auto builtin = builtin_reward_kinds();
    return std::deque<RewardKind>(builtin.begin(), builtin.end());
  }();
  return kinds;
}

}  // namespace

std::vector<RewardKind> builtin_reward_kinds() {
  return {
      similarity_kind(),
      length_kind(),
      regex_kind(),
      rouge_kind(),
      classifier_kind(),
      preference_kind(),
      verdict_kind(),
      python_kind(),
      command_kind(),
      http_kind(),
      judge_kind(),
  };
}

const std::deque<RewardKind>& reward_kinds() {
  return table();
}

void register_reward_kind(RewardKind kind) {
  if (!is_objective_name(kind.name) || kind.name == "range") {
    throw_caller_error(
        "reward kind {}: the name must be 1 to 64 letters, digits, '_' and "
        "'-', and not 'range'",
        quote_text(kind.name));
  }
  if (!kind.make) {
    throw_caller_error(
        "reward kind '{}' has no function `make`; give one", kind.name);
  }
  for (const RewardKind& other : table()) {
    if (other.name != kind.name) continue;
    throw_caller_error(
        "reward kind '{}' exists already; give another name", kind.name);
  }
  table().push_back(std::move(kind));
}

std::vector<RewardFile> files_named_by(AnyOptions settings) {
  std::vector<RewardFile> files;
  settings.visit("", [&](const std::string& key, const std::string& path) {
    if (!fs::is_directory(path)) {
      files.push_back({key, path});
      return;
    }
    std::vector<fs::path> inside;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) inside.push_back(entry.path());
    }
    std::sort(inside.begin(), inside.end());
    for (const fs::path& file : inside)
      files.push_back(
          {key + " " + file.lexically_relative(path).string(), file});
  });
  return files;
}

}  // namespace moft
