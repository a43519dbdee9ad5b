// The kinds of recipes that moft runs, each declared in one place: a class
// derived from RecipeJob (recipe_job.h) and one entry in recipe_kind.cpp. The
// entry gives `moft <command>`, `moft recipe show|check|list`, the recipe
// reference and `moft help KEY`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_reference.h"
#include "moft/training/run_directory.h"

namespace moft {

class Parser;
class RecipeJob;

struct RecipeKind {
  // "train"; of two words the second is a sub-command of the first.
  const char* command;
  RunKind run;
  const char* summary;      // of the command, for help
  const char* recipe_help;  // of its argument RECIPE
  // Sections that only recipes of this kind have. Empty: recipes without a
  // mark of another kind.
  std::vector<const char*> marks;
  const char* memory_cure;   // what to change when memory runs out
  const char* introduction;  // of its keys in the reference, Markdown
  std::vector<FieldDescription> (*fields)();
  // Reads and checks a recipe of this kind.
  std::unique_ptr<RecipeJob> (*open)(
      const RecipeSource& source, const std::vector<std::string>& overrides);
};

// In the order of help and reference.
std::span<const RecipeKind> recipe_kinds();

// By the sections that the recipe has: the last kind that one of them marks.
const RecipeKind& kind_of(const RecipeSource& source);

// CallerError unless the recipe is one of `moft <command>`.
void require_kind(const RecipeSource& source, std::string_view command);

// RECIPE, which is required, and OVERRIDES of its keys.
void add_recipe_arguments(
    Parser& parser,
    std::string& recipe,
    std::vector<std::string>& overrides,
    const char* help = "A YAML file or a shipped recipe");

// The keys of every kind.
std::vector<RecipeKeys> recipe_keys();

// What the entries open.
std::unique_ptr<RecipeJob> open_train_job(
    const RecipeSource& source, const std::vector<std::string>& overrides);
std::unique_ptr<RecipeJob> open_sft_job(
    const RecipeSource& source, const std::vector<std::string>& overrides);
std::unique_ptr<RecipeJob> open_reward_job(
    const RecipeSource& source, const std::vector<std::string>& overrides);
std::unique_ptr<RecipeJob> open_dpo_job(
    const RecipeSource& source, const std::vector<std::string>& overrides);

}  // namespace moft
