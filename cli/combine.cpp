// `moft combine`: policies that need no training become one of another kind
// (docs/methods/dera.md, mod.md).
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/generation/logit_mixture.h"
#include "moft/generation/policy_kinds.h"
#include "moft/recipes/recipe.h"
#include "moft/training/run_directory.h"

#include "cli/command.h"
#include "cli/result.h"
#include "cli/run_output.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// A finished run, with its recipe where it has one.
struct Part {
  std::string run;
  std::string recipe;  // as it was found; empty: a soup of adapters

  fs::path policy() const { return fs::path(run) / kPolicyDirectory; }
};

Part read_part(const std::string& run) {
  Part part{run, {}};
  if (!fs::exists(part.policy() / "moft.json")) {
    throw_caller_error(
        "{}: is not a finished run; give the output directory of `moft train` "
        "or `moft soup`",
        run);
  }
  const fs::path recipe = fs::path(run) / kRecipeFile;
  if (fs::exists(recipe)) part.recipe = recipe.string();
  return part;
}

// What a kind makes of the runs, as the policy directory `to`.
struct Combination {
  const char* name;
  const char* what;  // for the recipe's description
  bool one_run;
  void (*save)(
      const std::vector<Part>& parts, double lambda_max, const fs::path& to);
};

constexpr Combination kCombinations[] = {
    {"dera",
     "decoding-time realignment: the logits of a run and of its reference, "
     "mixed per token",
     true,
     [](const std::vector<Part>& parts, double lambda_max, const fs::path& to) {
       save_logit_mixture(
           parts[0].policy(), {LogitMixture::kDera, lambda_max}, to);
     }},
    {"mod",
     "multi-objective decoding: the logits of each objective's copy, mixed per "
     "token",
     true,
     [](const std::vector<Part>& parts, double lambda_max, const fs::path& to) {
       save_logit_mixture(
           parts[0].policy(), {LogitMixture::kMod, lambda_max}, to);
     }},
};

const Combination& combination_of(const std::string& name) {
  std::vector<std::string> known;
  for (const Combination& one : kCombinations) {
    if (one.name == name) return one;
    known.emplace_back(one.name);
  }
  throw_caller_error(
      "--kind is {}; give one of {}", quote_text(name), join(known, ", "));
}

class CombineCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser
        .add_path(
            "RUNS",
            runs_,
            "The finished run that is mixed; for mod a soup of runs that each "
            "trained one objective, or a run of all weightings")
        .required();
    parser
        .add_option(
            "--kind",
            kind_,
            "dera: the run and its reference, for every alpha; mod: the run's "
            "copies, for every weighting")
        .type_name("dera|mod")
        .required();
    parser.add_option(
        "--lambda-max",
        lambda_max_,
        "dera: the largest lambda answered to; above 1 it extrapolates below "
        "the alpha that was trained at");
    parser.add_path("--to", to_, "The run directory to make").required();
  }

  int run() override {
    outlive_closed_pipes();
    const Combination& combination = combination_of(kind_);
    if (!(lambda_max_ >= 1.0 && lambda_max_ <= kLargestLambda)) {
      throw_caller_error(
          "--lambda-max is {}; give a number from 1 to {}",
          lambda_max_,
          kLargestLambda);
    }
    if (combination.one_run && runs_.size() != 1) {
      throw_caller_error(
          "--kind {} mixes the models of one run, and {} were given; make one "
          "of them first: moft soup RUNS --to SOUP",
          combination.name,
          runs_.size());
    }
    check_room();
    to_ = fs::absolute(to_).lexically_normal().string();
    std::vector<Part> parts;
    for (const std::string& run : runs_)
      parts.push_back(read_part(run));
    const std::string recipe = recipe_text(parts[0], combination);
    publish(combination, parts, recipe);
    print(recipe);
    return 0;
  }

 private:
  void check_room() const {
    if (const auto kind = find_run_kind(to_)) {
      throw_caller_error(
          "{}: holds a run already (of `{}`); choose another directory",
          to_,
          command_of(*kind));
    }
    refuse_things_in_the_way(to_, RunKind::kCombine);
  }

  // What `moft evaluate` reads; empty where the run has none.
  std::string recipe_text(
      const Part& part, const Combination& combination) const {
    if (part.recipe.empty()) return {};
    Recipe recipe = load_recipe(find_recipe(part.recipe), {});
    recipe.name += fmt::format("-{}", combination.name);
    recipe.description = combination.what;
    recipe.output = to_;
    return print_options(recipe);
  }

  void publish(
      const Combination& combination,
      const std::vector<Part>& parts,
      const std::string& recipe) const {
    const RunLock lock(to_);
    check_room();
    combination.save(parts, lambda_max_, fs::path(to_) / kPolicyDirectory);
    write_run_kind(to_, RunKind::kCombine);
    if (!recipe.empty()) write_atomically(fs::path(to_) / kRecipeFile, recipe);
  }

  void print(const std::string& recipe) const {
    const fs::path path = fs::path(to_) / kPolicyDirectory;
    const PolicyInfo info = describe_policy(path);
    const auto names = objective_names(info);
    print_result("policy   {}\n", path.string());
    print_result(
        "alpha    from {} to 1\n", shortest_number(info.kl_range.alpha_min()));
    print_result(
        "next:\n  moft generate {} --weights {} --alpha {} --prompt TEXT\n"
        "  moft evaluate {}{}\n",
        to_,
        format_weighting(Weighting::uniform(names.size()), names),
        shortest_number(info.default_alpha),
        to_,
        recipe.empty() ? " --recipe RECIPE   # with rewards of these names"
                       : "");
  }

  std::vector<std::string> runs_;
  std::string kind_;
  double lambda_max_ = 1.0;
  std::string to_;
};

}  // namespace

std::unique_ptr<Command> make_combine_command() {
  return std::make_unique<CombineCommand>();
}

}  // namespace moft
