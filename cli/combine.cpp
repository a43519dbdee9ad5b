// `moft combine`: policies that need no training become one of another kind
// (docs/methods/dera.md, mod.md, bank.md,
// personalised-soups.md).
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/generation/bank.h"
#include "moft/generation/logit_mixture.h"
#include "moft/generation/personalised_soup.h"
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
  std::optional<Recipe> recipe;  // none: a soup of adapters

  fs::path policy() const { return fs::path(run) / kPolicyDirectory; }
};

Part read_part(const std::string& run) {
  Part part{run, std::nullopt};
  if (!fs::exists(part.policy() / "moft.json")) {
    throw_caller_error(
        "{}: is not a finished run; give the output directory of `moft train` "
        "or `moft soup`",
        run);
  }
  const fs::path recipe = fs::path(run) / kRecipeFile;
  if (fs::exists(recipe))
    part.recipe = load_recipe(find_recipe(recipe.string()), {});
  return part;
}

// The weighting that a run trained alone.
BankSource bank_source(const Part& part) {
  if (!part.recipe ||
      part.recipe->weightings.sampler != WeightingDistribution::kFixed) {
    throw_caller_error(
        "{}: did not train one weighting alone; train it with "
        "weightings.sampler=fixed",
        part.run);
  }
  return {
      part.policy(),
      weighting_from_map(
          part.recipe->weightings.weights,
          part.recipe->objective_names(),
          part.run + ": weightings.weights")};
}

struct CombineOptions {
  double lambda_max = 1.0;
  SoupRounding round = SoupRounding::kNone;
};

// What a kind makes of the runs, as the policy directory `to`.
struct Combination {
  const char* name;
  const char* what;  // for the recipe's description
  bool one_run;
  void (*save)(
      const std::vector<Part>& parts,
      const CombineOptions& options,
      const fs::path& to);
};

constexpr Combination kCombinations[] = {
    {"dera",
     "decoding-time realignment: the logits of a run and of its reference, "
     "mixed per token",
     true,
     [](const std::vector<Part>& parts,
        const CombineOptions& options,
        const fs::path& to) {
       save_logit_mixture(
           parts[0].policy(), {LogitMixture::kDera, options.lambda_max}, to);
     }},
    {"mod",
     "multi-objective decoding: the logits of each objective's copy, mixed per "
     "token",
     true,
     [](const std::vector<Part>& parts,
        const CombineOptions& options,
        const fs::path& to) {
       save_logit_mixture(
           parts[0].policy(), {LogitMixture::kMod, options.lambda_max}, to);
     }},
    {"bank",
     "a bank: runs of one fixed weighting each, of which the nearest answers",
     false,
     [](const std::vector<Part>& parts,
        const CombineOptions&,
        const fs::path& to) {
       std::vector<BankSource> sources;
       for (const Part& part : parts)
         sources.push_back(bank_source(part));
       save_bank(sources, to);
     }},
    {"personalised_soup",
     "a personalised soup: a soup at equal weights on a set of objectives",
     true,
     [](const std::vector<Part>& parts,
        const CombineOptions& options,
        const fs::path& to) {
       save_personalised_soup(parts[0].policy(), options.round, to);
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
            "The finished run that is mixed; for mod and personalised_soup a "
            "soup of runs that each trained one objective; for bank several "
            "runs, each with weightings.sampler=fixed")
        .required();
    parser
        .add_option(
            "--kind",
            kind_,
            "dera: logits of the run and its reference, for every alpha; mod: "
            "of the run's copies, for every weighting; bank: the run of the "
            "nearest weighting; personalised_soup: equal weights on a set of "
            "objectives")
        .type_name("dera|mod|bank|personalised_soup")
        .required();
    parser.add_option(
        "--lambda-max",
        options_.lambda_max,
        "dera: the largest lambda answered to; above 1 it extrapolates below "
        "the alpha that was trained at");
    parser
        .add_option(
            "--round",
            round_,
            "personalised_soup: binary answers other weights at the nearest "
            "set of objectives; none refuses them")
        .type_name("none|binary");
    parser.add_path("--to", to_, "The run directory to make").required();
  }

  int run() override {
    outlive_closed_pipes();
    const Combination& combination = combination_of(kind_);
    if (!(options_.lambda_max >= 1.0 &&
          options_.lambda_max <= kLargestLambda)) {
      throw_caller_error(
          "--lambda-max is {}; give a number from 1 to {}",
          options_.lambda_max,
          kLargestLambda);
    }
    options_.round = parse_round(round_);
    if (combination.one_run && runs_.size() != 1) {
      throw_caller_error(
          "--kind {} takes one run, and {} were given; make one "
          "of them first: moft soup RUNS --to SOUP",
          combination.name,
          runs_.size());
    }
    check_room();
    to_ = fs::absolute(to_).lexically_normal().string();
    std::vector<Part> parts;
    for (const std::string& run : runs_)
      parts.push_back(read_part(run));
    const std::string recipe = recipe_text(parts, combination);
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

  static SoupRounding parse_round(const std::string& text) {
    for (const auto& [round, name] : enum_names(SoupRounding{}))
      if (name == text) return round;
    throw_caller_error("--round is {}; give none or binary", quote_text(text));
  }

  // What `moft evaluate` reads; empty where the run has none.
  std::string recipe_text(
      const std::vector<Part>& parts, const Combination& combination) const {
    if (!parts[0].recipe) return {};
    Recipe recipe = *parts[0].recipe;
    recipe.training.steps = 0;
    for (const Part& part : parts)
      if (part.recipe) recipe.training.steps += part.recipe->training.steps;
    if (parts.size() > 1) recipe.weightings = {};
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
    combination.save(parts, options_, fs::path(to_) / kPolicyDirectory);
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
  CombineOptions options_;
  std::string round_ = "none";
  std::string to_;
};

}  // namespace

std::unique_ptr<Command> make_combine_command() {
  return std::make_unique<CombineCommand>();
}

}  // namespace moft
