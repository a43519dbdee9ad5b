// Takes copies over from a trained policy of the same base and steered set.
#include "moft/generation/policy_start.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/text.h"
#include "moft/generation/model_files.h"
#include "moft/generation/policy_definition.h"
#include "moft/models/model_tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShared = "shared/";

std::vector<std::string> names_of(const PolicyDefinition& definition) {
  std::vector<std::string> names;
  for (const PolicyObjective& objective : definition.objectives)
    names.push_back(objective.name);
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Whatever the files are called.
std::multiset<std::string> base_hashes(const PolicyDefinition& definition) {
  std::multiset<std::string> hashes;
  for (const auto& [name, hash] : definition.provenance)
    if (name.starts_with("xxh3 base weights")) hashes.insert(hash);
  return hashes;
}

// What is known of both bases beside the weights, and differs: "config", "end
// tokens", names of tokenizer files.
std::set<std::string> other_base_files(
    const PolicyDefinition& now, const PolicyDefinition& start) {
  const std::string prefix = "xxh3 base ";
  std::set<std::string> others;
  for (const auto& [name, hash] : now.provenance) {
    if (!name.starts_with(prefix) || name.starts_with(prefix + "weights"))
      continue;
    const auto theirs = start.provenance.find(name);
    if (theirs != start.provenance.end() && theirs->second != hash)
      others.insert(name.substr(prefix.size()));
  }
  return others;
}

// The steered set alone: what decides which tensors there are and what they
// mean.
ConditioningOptions set_of(const ConditioningOptions& options) {
  ConditioningOptions set;
  set.steered_set = options.steered_set;
  if (options.steered_set == SteeredSet::kLora) {
    set.lora = options.lora;
    return set;
  }
  set.freeze_shared = options.freeze_shared;
  if (options.steered_set == SteeredSet::kAttention)
    set.attention = options.attention;
  if (options.steered_set == SteeredSet::kPattern)
    set.pattern = options.pattern;
  return set;
}

// The start's values of the settings in which the two differ, as on a command
// line: "conditioning.lora.rank=3 conditioning.lora.modules=[q,v]".
std::string other_settings(
    const ConditioningOptions& start, const ConditioningOptions& now) {
  const auto theirs = options_to_json(start);
  std::vector<std::string> settings;
  for (const std::string& key : differing_options(start, now)) {
    nlohmann::ordered_json value = theirs;
    for (const std::string& part : split(key, '.'))
      if (value.is_object())
        value = value.value(part, nlohmann::ordered_json());
    std::string text = value.dump();
    std::erase(text, '"');
    settings.push_back(fmt::format("conditioning.{}={}", key, text));
  }
  return join(settings, " ");
}

void check_fits(
    const PolicyDefinition& now,
    const PolicyDefinition& start,
    const fs::path& path) {
  if (base_hashes(now) != base_hashes(start)) {
    throw_caller_error(
        "policy.start {}: has other base weights than policy.model (the "
        "hashes differ); give the base that it was trained from",
        path.string());
  }
  if (other_base_files(now, start).contains("config")) {
    throw_caller_error(
        "policy.start {}: was trained on these weights under another "
        "config.json than policy.model's; give the base that it was trained "
        "from",
        path.string());
  }
  const std::string others =
      other_settings(set_of(start.conditioning), set_of(now.conditioning));
  if (!others.empty()) {
    throw_caller_error(
        "policy.start {}: its copies are others than this recipe's; give the "
        "recipe the policy's settings: {}",
        path.string(),
        others);
  }
}

// Every tensor that is taken, each checked before the first is written to a
// master; read again then, so that they are not all held at once.
void take_copies(
    Conditioning& conditioning,
    const std::vector<std::string>& taken,
    const fs::path& file) {
  const SafetensorsFile source(file);
  const auto read = [&](const std::string& name,
                        const std::vector<std::int64_t>& shape) {
    const bool known =
        name.starts_with(kShared) ||
        std::any_of(taken.begin(), taken.end(), [&](const std::string& own) {
          return name.starts_with(own + "/");
        });
    return known ? read_tensor(source, name, shape) : at::Tensor();
  };
  for (const TrainedTensor& entry : conditioning.trained())
    read(entry.name, shape_in_files(entry));
  conditioning.load(read);
}

std::vector<std::string> remarks_on(
    const PolicyDefinition& now, const PolicyDefinition& start) {
  std::vector<std::string> remarks;
  for (const std::string& name : other_base_files(now, start))
    remarks.push_back("was trained on a base with another " + name);
  if (now.prompt_template != start.prompt_template || now.chat != start.chat)
    remarks.emplace_back(
        "was trained on another data.prompt_template or chat template");
  if (now.temperature != start.temperature) {
    remarks.push_back(fmt::format(
        "was trained at policy.temperature {}",
        shortest_number(start.temperature)));
  }
  if (now.conditioning.prompt.has_value() !=
      start.conditioning.prompt.has_value())
    remarks.emplace_back(
        start.conditioning.prompt ? "was told its weighting in the prompt"
                                  : "was not told its weighting in the prompt");
  return remarks;
}

}  // namespace

std::optional<fs::path> trained_policy_at(const fs::path& path) {
  std::error_code error;
  const auto is_policy = [&](const fs::path& folder) {
    return fs::exists(folder / kPolicyDefinitionFile, error);
  };
  if (fs::is_directory(path, error)) {
    if (is_policy(path)) return path;
    if (is_policy(path / "policy")) return path / "policy";
    return std::nullopt;
  }
  const fs::path folder = fs::absolute(path).parent_path();
  if (fs::exists(path, error) && is_policy(folder)) return folder;
  return std::nullopt;
}

fs::path steering_file_of(const fs::path& policy) {
  return policy / "steering.safetensors";
}

PolicyStart plan_start(const PolicyDefinition& now, const fs::path& start) {
  const PolicyDefinition theirs = read_definition(start);
  const auto names = names_of(theirs);
  const auto own = names_of(now);
  check_fits(now, theirs, start);
  PolicyStart result;
  for (const std::string& name : own)
    (contains(names, name) ? result.taken : result.at_reference)
        .push_back(name);
  for (const std::string& name : names) {
    if (!contains(own, name)) result.left_out.push_back(name);
  }
  if (result.taken.empty()) {
    throw_caller_error(
        "policy.start {}: has objectives {}, none of which this recipe has "
        "({}); copies are taken by the name of their objective",
        start.string(),
        join(names, ", "),
        join(own, ", "));
  }
  const SafetensorsFile structure(steering_file_of(start));
  result.remarks = remarks_on(now, theirs);
  return result;
}

PolicyStart start_from_policy(SteeredPolicy& policy, const fs::path& start) {
  PolicyStart result = plan_start(policy.definition(), start);
  take_copies(*policy.conditioning(), result.taken, steering_file_of(start));
  return result;
}

}  // namespace moft
