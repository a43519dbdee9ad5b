// Where a recipe's training starts.
#include "moft/recipes/start.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/adapter_start.h"
#include "moft/generation/policy_start.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/training/run_directory.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// What a run keeps to resume from is neither a model nor a policy.
void refuse_checkpoint(const std::string& path, const std::string& key) {
  const fs::path folder(path);
  if (!fs::exists(folder / "state.json") || fs::exists(folder / "config.json"))
    return;
  throw_caller_error(
      "{} is {}, a checkpoint of a run; publish it first (its recipe with "
      "`--resume auto` and `steps` as the checkpoint's number), then give the "
      "run",
      key,
      quote_text(path, 200));
}

// The output of `moft sft` or `moft reward train` has its model one folder
// below.
void refuse_model_run(const std::string& path, const std::string& key) {
  const fs::path model = fs::path(path) / "model";
  if (fs::exists(fs::path(path) / "config.json") ||
      !fs::exists(model / "config.json"))
    return;
  throw_caller_error(
      "{} is {}, the output of `{}`; its model is in {}",
      key,
      quote_text(path, 200),
      command_of(find_run_kind(path).value_or(RunKind::kSft)),
      model.string());
}

void refuse_policy(
    const std::string& path, const std::string& key, const std::string& cure) {
  refuse_checkpoint(path, key);
  const auto policy = trained_policy_at(path);
  if (!policy) {
    refuse_model_run(path, key);
    return;
  }
  throw_caller_error(
      "{} is {}, a trained policy, of which a model is only the untrained "
      "base; "
      "{}",
      key,
      quote_text(path, 200),
      cure);
}

std::string export_cure(const std::string& path) {
  return fmt::format(
      "make a model of it under one weighting, `moft export {} --weights .. "
      "--to DIR`, and give DIR",
      trained_policy_at(path).value_or(path).string());
}

}  // namespace

void refuse_policies(const Recipe& recipe) {
  const std::string& model = recipe.policy.model;
  refuse_policy(
      model,
      "policy.model",
      fmt::format(
          "to continue from it, give policy.start: {} and as policy.model the "
          "base that it was trained from",
          trained_policy_at(model).value_or(model).string()));
  const auto& value = recipe.training.value.model;
  if (value) refuse_policy(*value, "training.value.model", export_cure(*value));
}

void refuse_policies(const SftRecipe& recipe) {
  const auto& path = recipe.model.path;
  if (path) refuse_policy(*path, "model.path", export_cure(*path));
}

void refuse_policies(const RewardRecipe& recipe) {
  const std::string& path = recipe.model.path;
  refuse_policy(path, "model.path", export_cure(path));
}

namespace {

// The trained policy, when that is what policy.start names.
std::optional<std::string> policy_of(const PolicyOptions& options) {
  const auto found = options.start.find("");
  if (found == options.start.end()) return std::nullopt;
  return found->second;
}

std::string key_of(const std::string& objective) {
  return objective.empty() ? "policy.start" : "policy.start." + objective;
}

Adapters open_adapters(const PolicyOptions& options) {
  Adapters adapters;
  for (const auto& [objective, path] : options.start)
    adapters.emplace(objective, PeftAdapter(path));
  return adapters;
}

void start_from_adapters(SteeredPolicy& policy, const PolicyOptions& options) {
  moft::start_from_adapters(policy, open_adapters(options));
  for (const auto& [objective, path] : options.start)
    log_info("start       {} from the adapter {}", objective, path);
  for (const std::string& name : policy.names()) {
    if (!options.start.contains(name))
      log_info("start       {} starts at the reference", name);
  }
}

}  // namespace

void resolve_start(Recipe& recipe, const RecipeSource& source) {
  for (auto& [objective, path] : recipe.policy.start) {
    const std::string key = key_of(objective);
    resolve_path(path, key, source);
    if (!objective.empty()) continue;
    refuse_checkpoint(path, key);
    const auto policy = trained_policy_at(path);
    if (!policy || !fs::is_directory(path)) {
      throw_caller_error(
          "{}: policy.start is {}, which is not a trained policy (it has no "
          "moft.json); give a policy directory or the output of `moft train`, "
          "or adapters by objective: {{relevance: DIR}}",
          source.place,
          quote_text(path, 200));
    }
    path = policy->string();
  }
}

LoadOptions base_options(const Recipe& recipe, const LoadOptions& options) {
  LoadOptions own = options;
  if (recipe.policy.adapter) own.adapter = *recipe.policy.adapter;
  return own;
}

std::map<std::string, fs::path> start_files(const Recipe& recipe) {
  std::map<std::string, fs::path> files;
  for (const auto& [objective, path] : recipe.policy.start) {
    const std::string key = key_of(objective);
    if (objective.empty()) {
      files[key] = steering_file_of(path);
      continue;
    }
    files[key + " config"] = fs::path(path) / kAdapterConfigFile;
    files[key] = fs::path(path) / kAdapterWeightsFile;
  }
  return files;
}

void check_start(const Recipe& recipe, const LoadedModel& base) {
  if (recipe.policy.start.empty()) return;
  PolicyDefinition definition = definition_of(recipe);
  const auto policy = policy_of(recipe.policy);
  if (!policy) {
    check_adapter_start(
        open_adapters(recipe.policy), definition, base.model->steerable());
    return;
  }
  for (const auto* files : {&base.weight_files, &base.adapter_files}) {
    for (const fs::path& file : *files) {
      definition.provenance["xxh3 base weights " + file.filename().string()] =
          hash_file(file);
    }
  }
  plan_start(definition, *policy);
}

void start_policy(SteeredPolicy& policy, const PolicyOptions& options) {
  const auto trained = policy_of(options);
  if (!trained) {
    start_from_adapters(policy, options);
    return;
  }
  const std::string& start = *trained;
  const PolicyStart found = start_from_policy(policy, start);
  log_info(
      "start       the copies of {} from {}", join(found.taken, ", "), start);
  if (!found.at_reference.empty()) {
    log_info(
        "start       {} start{} at the reference: the policy has no such "
        "objective",
        join(found.at_reference, ", "),
        found.at_reference.size() == 1 ? "s" : "");
  }
  if (!found.left_out.empty()) {
    log_info(
        "start       {} left out: the recipe has no such objective",
        join(found.left_out, ", "));
  }
  for (const std::string& remark : found.remarks)
    log_warning("policy.start {}: it {}", start, remark);
}

}  // namespace moft
