// Finding, reading and checking a recipe of `moft train`.
#include "moft/recipes/recipe.h"

#include <algorithm>
#include <set>

#include "moft/conditioning/prompt_prefix.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/paths.h"
#include "moft/core/settings_tree.h"
#include "moft/core/settings_yaml.h"
#include "moft/core/text.h"
#include "moft/recipes/key_hints.h"
#include "moft/recipes/recipe_loading.h"

namespace moft {

namespace fs = std::filesystem;

void Recipe::check(const std::string& path) const {
  check_objectives(objectives, path + "objectives");
  make_weighting_sampler(weightings, objective_names(), path + "weightings");
  if (conditioning.alpha_min &&
      *conditioning.alpha_min > training.kl_strength) {
    throw_caller_error(
        "{}conditioning.alpha_min is {}; give at most {}training.kl_strength, "
        "which is {}",
        path,
        shortest_number(*conditioning.alpha_min),
        path,
        shortest_number(training.kl_strength));
  }
  if (conditioning.alpha_min == 0.0 && training.kl_strength > 0 &&
      conditioning.f_mix == FMix::kSoftmdp) {
    throw_caller_error(
        "{}conditioning.alpha_min is 0, which under f_mix softmdp leaves no "
        "KL strength but 0, while {}training.kl_strength is {}; leave "
        "alpha_min out, or give a number above 0",
        path,
        path,
        shortest_number(training.kl_strength));
  }
  check_knobs(path);
  const bool words = training.value.prompt == ValuePrompt::kConditioned;
  if (training.has_value_network() && words && !conditioning.prompt) {
    throw_caller_error(
        "{}training.value.prompt is conditioned but there is no "
        "{}conditioning.prompt; give that, or prompt: plain",
        path,
        path);
  }
}

// What would leave a knob without effect.
void Recipe::check_knobs(const std::string& path) const {
  const bool sampled = training.kl_sampler != AlphaDistribution::kFixed;
  if (conditioning.prompt) {
    prompt_names(
        *conditioning.prompt, objective_names(), path + "conditioning.prompt");
  }
  if (sampled) {
    AlphaSampler(
        training.kl_sampler, kl_range(conditioning, training.kl_strength));
  }
  if (conditioning.steered_set != SteeredSet::kNone) return;
  if (!conditioning.prompt && objectives.size() > 1) {
    throw_caller_error(
        "{}conditioning.steered_set is none and there is no "
        "{}conditioning.prompt, so nothing would carry the weighting; give "
        "one of the two",
        path,
        path);
  }
  if (sampled) {
    throw_caller_error(
        "{}training.kl_sampler is {} but {}conditioning.steered_set is none, "
        "and a prompt carries no KL strength; give kl_sampler: fixed or "
        "another set",
        path,
        enum_name(training.kl_sampler),
        path);
  }
}

void Recipe::check_waits(const std::string& path) const {
  for (const auto& [key, objective] : objectives) {
    const RewardKind& kind = objective.kind();
    const double deadline = kind.step_deadline(objective.chosen());
    if (deadline < distributed.timeout) continue;
    throw_caller_error(
        "{}distributed.timeout is {} s and {}objectives.{}.{}.step_deadline is "
        "{} s, so ranks would give up one that still waits for its rewards; "
        "give a longer timeout or a shorter deadline",
        path,
        shortest_number(distributed.timeout),
        path,
        key,
        kind.name,
        shortest_number(deadline));
  }
}

std::vector<std::string> Recipe::objective_names() const {
  std::vector<std::string> names;
  for (const auto& entry : objectives)
    names.push_back(entry.first);
  return names;
}

KeyHints Recipe::key_hints() {
  return train_key_hints();
}

RecipeSource find_recipe(const std::string& given) {
  const std::string path_or_name = expand_path(given, "RECIPE");
  std::error_code error;
  if (fs::exists(path_or_name, error)) {
    fs::path file(path_or_name);
    return {
        path_or_name, file.parent_path(), read_text(file, kMaxSettingsBytes)};
  }
  std::vector<std::string> names;
  for (const ShippedRecipe& recipe : shipped_recipes()) {
    if (recipe.name == path_or_name) {
      return {path_or_name, {}, std::string(recipe.text)};
    }
    names.emplace_back(recipe.name);
  }
  auto near = nearest_name(path_or_name, names);
  throw_caller_error(
      "recipe {} is neither a file nor a shipped recipe; {}",
      quote_text(path_or_name, 200),
      near ? "did you mean '" + *near + "'?"
           : "the shipped ones are " + join(names, ", "));
}

Recipe load_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  Recipe recipe;
  read_recipe(recipe, {source, overrides, "training"}, recipe.training.epochs);
  return recipe;
}

std::string print_recipe(const Recipe& recipe) {
  return print_without_steps(recipe, "training", recipe.training.epochs);
}

void resolve_path(
    std::string& path, const std::string& key, const RecipeSource& source) {
  std::error_code error;
  if (fs::exists(path, error)) return;
  fs::path beside = source.folder / path;
  if (!source.folder.empty() && fs::exists(beside, error)) {
    path = beside.string();
    return;
  }
  throw_caller_error(
      "{}: {} is {}, which does not exist, neither from the current directory "
      "nor from the recipe's",
      source.place,
      key,
      quote_text(path, 200));
}

void resolve_chat_template(PromptOptions& prompts, const RecipeSource& source) {
  if (!prompts.chat_template) return;
  std::string& name = *prompts.chat_template;
  name = expand_path(name, source.place + ": data.chat_template");
  std::error_code error;
  for (const fs::path& file : {fs::path(name), source.folder / name}) {
    if (!fs::is_regular_file(file, error)) continue;
    name = fs::absolute(file).lexically_normal().string();
    return;
  }
}

void resolve_files(
    std::vector<std::string>& files,
    const std::string& key,
    const RecipeSource& source) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::string& file : files) {
    const fs::path beside = source.folder / file;
    const bool literal = fs::exists(file, error) ||
                         (!source.folder.empty() && fs::exists(beside, error));
    if (literal || !is_glob(file)) {
      resolve_path(file, key, source);
      found.push_back(file);
      continue;
    }
    std::vector<std::string> matches = match_glob(file);
    if (matches.empty() && !source.folder.empty())
      matches = match_glob(beside.string());
    if (matches.empty()) {
      throw_caller_error(
          "{}: {} is {}, which matches no file, neither from the current "
          "directory nor from the recipe's",
          source.place,
          key,
          quote_text(file, 200));
    }
    found.insert(found.end(), matches.begin(), matches.end());
  }
  std::set<fs::path> seen;
  for (const std::string& file : found) {
    if (seen.insert(fs::weakly_canonical(file, error)).second) continue;
    throw_caller_error(
        "{}: {} names the file {} twice; name it once",
        source.place,
        key,
        quote_text(file, 200));
  }
  files = std::move(found);
}

void resolve_paths(Recipe& recipe, const RecipeSource& source) {
  resolve_path(recipe.policy.model, "policy.model", source);
  if (recipe.policy.adapter)
    resolve_path(*recipe.policy.adapter, "policy.adapter", source);
  resolve_files(recipe.data.train, "data.train", source);
  resolve_files(recipe.data.evaluation, "data.evaluation", source);
  resolve_files(recipe.data.final, "data.final", source);
  resolve_chat_template(recipe.data, source);
  if (recipe.training.value.model) {
    resolve_path(*recipe.training.value.model, "training.value.model", source);
  }
  for_each_path(recipe, [&](const std::string& key, std::string& path) {
    if (key.starts_with("objectives.")) resolve_path(path, key, source);
  });
}

}  // namespace moft
