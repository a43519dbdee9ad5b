// `moft recipe show|check|draws|list|reference`.
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_draws.h"
#include "moft/recipes/recipe_reference.h"

#include "cli/command.h"
#include "cli/recipe_job.h"

namespace moft {

namespace {

class RecipeCommand : public Command {
 public:
  bool runs_over_ranks() const override { return true; }

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
    fmt::print("{}", recipe_reference(recipe_keys()));
    return 0;
  }

 private:
  int show() {
    const RecipeSource source = find_recipe(recipe_);
    fmt::print("{}", kind_of(source).open(source, overrides_)->text());
    return 0;
  }

  // Everything is checked, and all problems are listed.
  int check() {
    const RecipeSource source = find_recipe(recipe_);
    const auto job = kind_of(source).open(source, overrides_);
    job->resolve_paths(source);
    choose_compute(job->header().compute);
    const CheckedRecipe found = job->check({source.place});
    return report(source, found.findings, found.counts);
  }

  // A device that is not there is a problem of the recipe here.
  static void choose_compute(const ComputeOptions& options) {
    try {
      use_compute(options);
    } catch (const WorldError& error) {
      throw CallerError(error.what());
    }
  }

  static int report(
      const RecipeSource& source,
      const Findings& findings,
      const std::string& counts) {
    if (findings.good()) fmt::print("{}: good; {}\n", source.place, counts);
    for (const auto& [what, found] : findings.notes())
      fmt::print("{:<11} {}\n", what, found);
    std::fflush(stdout);
    for (const std::string& sentence : findings.warnings())
      fmt::print(stderr, "moft: warning: {}\n", sentence);
    for (const std::string& sentence : findings.problems())
      fmt::print(stderr, "moft: {}\n", sentence);
    return findings.good() ? 0 : 2;
  }

  int draws() {
    const RecipeSource source = find_recipe(recipe_);
    require_kind(source, "train");
    fmt::print("{}", draws_table(load_recipe(source, overrides_), steps_));
    return 0;
  }

  int list() {
    for (const ShippedRecipe& shipped : shipped_recipes()) {
      const RecipeSource source = find_shipped(shipped);
      fmt::print(
          "{:<26} {}\n",
          source.place,
          kind_of(source).open(source, {})->header().description);
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
