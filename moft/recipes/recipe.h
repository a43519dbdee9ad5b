// The recipe: everything that a run is made from, in one YAML file.
//
// The parts own their options structs; this struct only puts them together.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moft/conditioning/conditioning_options.h"
#include "moft/core/fields.h"
#include "moft/data/data_options.h"
#include "moft/generation/policy_options.h"
#include "moft/recipes/recipe_header.h"
#include "moft/rewards/reward_options.h"
#include "moft/training/training_options.h"
#include "moft/weightings/weighting_options.h"

namespace moft {

struct Recipe : RecipeHeader {
  PolicyOptions policy;
  DataOptions data;
  Objectives objectives;
  WeightingOptions weightings;
  ConditioningOptions conditioning;
  TrainingOptions training;

  template <class V>
  void fields(V& v) {
    RecipeHeader::fields(v);
    v("policy", policy, Help{"the model to start from"});
    v("data", data, Help{"examples and how they become prompts"});
    v("objectives", objectives, Help{"the rewards by name"});
    v("weightings", weightings, Help{"how weightings are drawn in training"});
    v("conditioning", conditioning, Help{"what a steering acts on"});
    v("training", training, Help{"the training loop"});
  }

  // What other programs call these keys.
  static KeyHints key_hints();

  // What concerns several sections at once.
  void check(const std::string& path) const;

  // For a run of several ranks, where those that have their rewards wait for
  // the others: CallerError unless distributed.timeout is longer than the
  // longest deadline of an objective. `path` as check()'s.
  void check_waits(const std::string& path) const;

  // The names of the objectives in their order.
  std::vector<std::string> objective_names() const;

 private:
  void check_knobs(const std::string& path) const;
};

// Where a recipe came from.
struct RecipeSource {
  std::string place;  // opens messages: the file as given, or the shipped name
  std::filesystem::path folder;  // of the file; empty for a shipped recipe
  std::string text;
};

// A file, or the name of a shipped recipe when there is no such file.
RecipeSource find_recipe(const std::string& path_or_name);

// Reads, applies the overrides "a.b=value" in order, and checks. `~` and
// variables in paths are expanded (core/paths.h). Of `steps` and `epochs` the
// one that is given last counts. Throws CallerError.
Recipe load_recipe(
    const RecipeSource& source, const std::vector<std::string>& overrides);

// Rewrites every path that is read (model, data, encoders): as written if
// it exists from the current directory, else below the recipe's folder. Throws
// CallerError naming the key when it is in neither place. `output` is always
// meant from the current directory.
void resolve_paths(Recipe& recipe, const RecipeSource& source);

// The same for one path; `key` is for the message.
void resolve_path(
    std::string& path, const std::string& key, const RecipeSource& source);

// data.chat_template: the name of a file becomes an absolute path, another name
// stays.
void resolve_chat_template(PromptOptions& prompts, const RecipeSource& source);

// resolve_path() for a list of files and patterns: each pattern becomes the
// files that match it, sorted by name. CallerError for one that matches none,
// and for a file that is named twice.
void resolve_files(
    std::vector<std::string>& files,
    const std::string& key,
    const RecipeSource& source);

// The effective recipe as YAML; what epochs stand for is left out.
std::string print_recipe(const Recipe& recipe);

// Recipes that are part of the program (recipes/*.yaml and recipes/paper/*.yaml
// when it was built).
struct ShippedRecipe {
  std::string_view name;
  std::string_view text;
};
std::span<const ShippedRecipe> shipped_recipes();

}  // namespace moft
