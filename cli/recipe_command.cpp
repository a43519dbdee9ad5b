// `moft recipe show|check|draws|list|reference`.
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/log.h"
#include "moft/data/example.h"
#include "moft/data/prompt_template.h"

#include "cli/command.h"
#include "cli/data_parts.h"
#include "cli/recipe.h"
#include "cli/recipe_draws.h"
#include "cli/sft_recipe.h"
#include "cli/start.h"

namespace moft {

namespace {

// Reads what the recipe names as far as that is cheap: the examples, and that
// each has the fields that the prompt and the rewards use.
std::string check_files(Recipe recipe, const RecipeSource& source) {
  resolve_paths(recipe, source);
  refuse_policies(recipe);
  resolve_start(recipe, source);
  PromptTemplate prompt(recipe.data.prompt_template);
  std::string counts;
  std::vector<Split> splits = {Split::kTrain, Split::kEvaluation};
  if (recipe.data.final) splits.push_back(Split::kFinal);
  for (const Split split : splits) {
    const std::vector<Example> examples = read_split(recipe.data, split);
    prompt.check(examples);
    for (const auto& [name, objective] : recipe.objectives) {
      if (!objective.similarity) continue;
      for (const Example& example : examples) {
        text_field(
            example, objective.similarity->field, "objective '" + name + "'");
      }
    }
    if (recipe.data.reference_field) {
      for (const Example& example : examples) {
        text_field(example, *recipe.data.reference_field, "the reference");
      }
    }
    counts += counts.empty() ? "" : " and ";
    counts += std::to_string(examples.size());
  }
  const std::string overlap = check_parts(recipe.data, source.place);
  if (!overlap.empty()) log_warning("{}", overlap);
  return counts;
}

// The same for `moft sft`.
std::string check_sft_files(SftRecipe recipe, const RecipeSource& source) {
  resolve_paths(recipe, source);
  refuse_policies(recipe);
  std::string counts;
  std::vector<std::vector<Example>> parts;
  for (const std::string& file : {recipe.data.train, recipe.data.evaluation}) {
    const auto& examples = parts.emplace_back(read_examples(file));
    PromptTemplate(recipe.data.prompt_template).check(examples);
    PromptTemplate(recipe.data.completion_template).check(examples);
    counts += counts.empty() ? "" : " and ";
    counts += std::to_string(examples.size());
  }
  const std::string overlap = held_out_overlap(
      recipe.data.prompt_template, parts[1], parts[0], source.place);
  if (!overlap.empty()) log_warning("{}", overlap);
  return counts;
}

class RecipeCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser.require_command();
    show_ = &parser.add_command(
        "show", "Print the effective recipe: all keys, overrides applied");
    check_ = &parser.add_command(
        "check", "Check a recipe, the files it names and their fields");
    draws_ = &parser.add_command(
        "draws",
        "Histograms of the weightings and KL strengths drawn in training, as "
        "CSV");
    list_ = &parser.add_command("list", "List the shipped recipes");
    reference_ = &parser.add_command(
        "reference", "Print the Markdown page of all recipe keys");
    for (Parser* sub : {show_, check_, draws_}) {
      sub->add_option("RECIPE", recipe_, "A YAML file or a shipped recipe")
          .required()
          .type_name("");
      sub->add_option(
             "OVERRIDES",
             overrides_,
             "Keys to set, as dotted.key=value; the value is YAML")
          .type_name("")
          .default_text("");
    }
    draws_->add_option("--steps", steps_, "Draws, one a step")
        .range(1, 100'000'000);
  }

  int run() override {
    if (show_->chosen()) return show();
    if (check_->chosen()) return check();
    if (draws_->chosen()) return draws();
    if (list_->chosen()) return list();
    fmt::print("{}", recipe_reference());
    return 0;
  }

 private:
  int show() {
    const RecipeSource source = find_recipe(recipe_);
    const bool sft = recipe_kind(source) == RecipeKind::kSft;
    fmt::print(
        "{}",
        sft ? print_options(load_sft_recipe(source, overrides_))
            : print_options(load_recipe(source, overrides_)));
    return 0;
  }

  int check() {
    RecipeSource source = find_recipe(recipe_);
    if (recipe_kind(source) == RecipeKind::kSft) {
      fmt::print(
          "{}: good; {} pairs\n",
          source.place,
          check_sft_files(load_sft_recipe(source, overrides_), source));
      return 0;
    }
    Recipe recipe = load_recipe(source, overrides_);
    std::string counts = check_files(recipe, source);
    fmt::print(
        "{}: good; {} objectives, {} examples\n",
        source.place,
        recipe.objectives.size(),
        counts);
    return 0;
  }

  int draws() {
    const RecipeSource source = find_recipe(recipe_);
    fmt::print("{}", draws_table(load_recipe(source, overrides_), steps_));
    return 0;
  }

  int list() {
    for (const ShippedRecipe& shipped : shipped_recipes()) {
      const RecipeSource source = find_shipped(shipped);
      const bool sft = recipe_kind(source) == RecipeKind::kSft;
      fmt::print(
          "{:<26} {}\n",
          source.place,
          sft ? load_sft_recipe(source, {}).description
              : load_recipe(source, {}).description);
    }
    return 0;
  }

  static RecipeSource find_shipped(const ShippedRecipe& shipped) {
    return {std::string(shipped.name), {}, std::string(shipped.text)};
  }

  Parser* show_ = nullptr;
  Parser* check_ = nullptr;
  Parser* draws_ = nullptr;
  Parser* list_ = nullptr;
  Parser* reference_ = nullptr;
  std::string recipe_;
  std::vector<std::string> overrides_;
  std::int64_t steps_ = 100'000;
};

}  // namespace

std::unique_ptr<Command> make_recipe_command() {
  return std::make_unique<RecipeCommand>();
}

}  // namespace moft
