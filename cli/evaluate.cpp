// `moft evaluate`: the front of a trained run, as table, report and page.
#include "moft/evaluation/evaluate.h"

#include <chrono>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/evaluation/report.h"
#include "moft/evaluation/table.h"
#include "moft/generation/steered_policy.h"

#include "cli/build_info.h"
#include "cli/command.h"
#include "cli/compute.h"
#include "cli/recipe.h"
#include "cli/result.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

class EvaluateCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser.add_option("RUN", run_, "The run directory that `moft train` wrote")
        .required();
    parser
        .add_option(
            "--weightings",
            options_.weightings,
            "Points of the front, spread evenly over the simplex")
        .range(2, 10000);
    parser.add_option(
        "--prompts",
        prompts_,
        "Held-out prompts used, from the first; "
        "default: all");
    parser
        .add_option(
            "--samples",
            options_.samples_per_prompt,
            "Completions of each prompt under each weighting")
        .range(1, 1000);
    parser.add_option(
        "--alpha",
        options_.alpha,
        "KL strength; default: that of the training");
    parser.add_option("--seed", options_.seed, "Of the completions drawn");
    parser.add_option(
        "--output", output_, "Where the report goes; default: RUN/report");
    parser.add_option(
        "--baseline",
        baselines_,
        "Other runs, evaluated on the same prompts and shown beside");
  }

  int run() override {
    outlive_closed_pipes();
    const auto start = std::chrono::steady_clock::now();
    const fs::path run(run_);
    const fs::path target =
        output_.empty() ? run / "report" : fs::path(output_);
    check_report_directory(target);
    const Recipe recipe = read_recipe(run);
    const Compute compute = use_compute(recipe.compute);
    auto objectives =
        make_objectives(recipe.objectives, ".", compute.load.device);
    auto examples = read_examples(recipe.data.evaluation);
    if (prompts_ && *prompts_ < examples.size()) examples.resize(*prompts_);
    set_options(recipe);
    Report report =
        evaluate(run, recipe, compute, objectives, examples, "policy");
    std::vector<TrainedRun> others;
    for (const std::string& other : baselines_) {
      const fs::path path(other);
      const Recipe theirs = read_recipe(path);
      others.push_back(
          {other,
           evaluate(path, theirs, compute, objectives, examples, other),
           answers_of(theirs)});
    }
    if (!others.empty())
      add_baselines(report, answers_of(recipe), std::move(others));
    finish(report, recipe, run, examples.size());
    report.cost["evaluation_seconds"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    write_report(target, report);
    print(report, target);
    return 0;
  }

 private:
  static Recipe read_recipe(const fs::path& run) {
    const fs::path file = run / "recipe.yaml";
    if (!fs::exists(file) || !fs::exists(run / "policy" / "moft.json")) {
      throw_caller_error(
          "{} is not a finished run (it has no {}); give the output directory "
          "of `moft train`",
          run.string(),
          fs::exists(file) ? "policy" : "recipe.yaml");
    }
    const RecipeSource source = find_recipe(file.string());
    Recipe recipe = load_recipe(source, {});
    resolve_paths(recipe, source);
    return recipe;
  }

  static std::int64_t answers_of(const Recipe& recipe) {
    return recipe.training.steps * recipe.training.prompts_per_step *
           recipe.training.samples_per_prompt;
  }

  void set_options(const Recipe& recipe) {
    options_.max_new_tokens = recipe.training.max_new_tokens;
    options_.reference_field = recipe.data.reference_field;
    const PromptTemplate prompt(recipe.data.prompt_template);
    if (prompt.field_names().size() == 1) {
      options_.shown_field = prompt.field_names()[0];
    }
  }

  Report evaluate(
      const fs::path& run,
      const Recipe& recipe,
      const Compute& compute,
      const ObjectiveSet& objectives,
      const std::vector<Example>& examples,
      const std::string& what) const {
    auto policy = load_policy(run / "policy", compute.load);
    const std::int64_t weightings =
        objectives.size() == 1 ? 1 : options_.weightings;
    log_info(
        "evaluating {} on {} prompts at {} weighting{} ({})",
        what,
        examples.size(),
        weightings,
        weightings == 1 ? "" : "s",
        compute.describe());
    const PromptTemplate prompt(recipe.data.prompt_template);
    return evaluate_policy(
        *policy,
        objectives,
        examples,
        prompt,
        options_,
        [](std::int64_t done, std::int64_t all) {
          log_info("evaluated {} of {} completions", done, all);
        });
  }

  static void finish(
      Report& report,
      const Recipe& recipe,
      const fs::path& run,
      std::size_t prompts) {
    report.title = recipe.name;
    report.training =
        read_training_rows(run / "metrics.jsonl", report.objectives);
    report.provenance = {
        {"moft", std::string(kMoftVersion) + " " + kGitRevision},
        {"recipe", recipe.name},
        {"base model", fs::path(recipe.policy.model).filename().string()},
        {"held-out prompts", std::to_string(prompts)},
        {"training seed", std::to_string(recipe.training.seed)},
        {"training steps", std::to_string(recipe.training.steps)}};
  }

  static void print(const Report& report, const fs::path& target) {
    print_result("\n{}\n", results_table(report));
    for (const SampleText& text : report.texts) {
      print_result("{}\n", sample_block(report, text));
    }
    for (const std::string& note : report.notes)
      print_result("* {}\n", note);
    print_result(
        "\nreport: {}\n", (target / "index.html").lexically_normal().string());
  }

  std::string run_;
  std::string output_;
  std::optional<std::size_t> prompts_;
  std::vector<std::string> baselines_;
  EvaluateOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_evaluate_command() {
  return std::make_unique<EvaluateCommand>();
}

}  // namespace moft
