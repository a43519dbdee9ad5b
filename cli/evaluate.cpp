// `moft evaluate`: the front of a trained run, as table, report and page.
#include "moft/evaluation/evaluate.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/core/version.h"
#include "moft/data/encode_prompt.h"
#include "moft/distributed/together.h"
#include "moft/evaluation/report.h"
#include "moft/evaluation/table.h"
#include "moft/generation/knob_effects.h"
#include "moft/generation/policy_kinds.h"
#include "moft/generation/steered_policy.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/evaluated_run.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/recipes/run_cost.h"
#include "moft/recipes/run_inputs.h"
#include "moft/rewards/make_objectives.h"

#include "cli/build_info.h"
#include "cli/command.h"
#include "cli/find_launch.h"
#include "cli/join_ranks.h"
#include "cli/policy_flags.h"
#include "cli/result.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// Settings of alpha where it is the only knob.
constexpr std::int64_t kAlphasOfOneObjective = 5;

class EvaluateCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser
        .add_path(
            "RUN",
            run_,
            "The run directory that `moft train` or `moft soup` wrote; "
            "RUN@STEP: as it was after a step whose checkpoint it keeps")
        .required();
    parser.add_path(
        "--recipe",
        recipe_,
        "For a soup of adapters, which has none: the recipe whose held-out "
        "data and rewards measure it");
    parser
        .add_option(
            "--split",
            split_,
            "evaluation: the prompts of data.evaluation, for choosing "
            "settings; final: those of data.final, for published figures")
        .default_text("evaluation");
    parser
        .add_option(
            "--weightings",
            options_.weightings,
            "Points of the front, spread evenly over the simplex")
        .range(2, 10000);
    parser
        .add_option(
            "--prompts",
            prompts_,
            "Held-out prompts used, from the first; default: all")
        .range(1, 1'000'000'000);
    parser
        .add_option(
            "--samples",
            options_.samples_per_prompt,
            "Completions of each prompt under each weighting")
        .range(1, 1000);
    const Option alpha = parser.add_option(
        "--alpha", alpha_, "KL strength; default: the one used in training");
    parser
        .add_option(
            "--alphas",
            alphas_,
            "KL strengths from the policy's lowest to 1, each with every "
            "weighting; default: 5 for a single objective trained under "
            "several, else 1")
        .range(1, 1000)
        .excludes(alpha);
    parser.add_option(
        "--seed", options_.seed, "Random seed for sampling completions");
    parser.add_path(
        "--output", output_, "Where the report goes; default: RUN/report");
    parser.add_path(
        "--baseline",
        baselines_,
        "Other runs of the same objectives, evaluated on the same prompts at "
        "the same alpha, shown beside and compared");
    parser
        .add_option(
            "--method",
            methods_,
            "Runs that are training seeds of one method, in the same order in "
            "every method; those that are not named yet are baselines")
        .type_name("NAME=RUN,RUN,..");
    parser.add_option(
        "--bank",
        bank_,
        "The baseline or method with a policy of its own for every weighting, "
        "which the others' reach and steering errors are measured by");
  }

  bool runs_over_ranks() const override { return true; }

  int run() override {
    outlive_closed_pipes();
    const Launch launch = find_launch();
    const auto start = std::chrono::steady_clock::now();
    const fs::path target =
        output_.empty() ? parse_run(run_).report() : fs::path(output_);
    check_report_directory(target);
    const Split split = parse_split(split_);
    read_methods();
    const EvaluatedRun run = open_run();
    if (launch.size > 1) run.recipe.check_waits("");
    std::vector<EvaluatedRun> others;
    for (const std::string& other : baselines_) {
      others.push_back(open_evaluated_run(other, &run.recipe));
      check_comparable_runs(run, others.back(), split);
    }
    if (!run.recipe.data.final.empty()) {
      check_parts(
          run.info.prompt.parsed(), read_parts(run.recipe.data), run.name);
    }
    const Compute compute =
        use_compute(share_cores(run.recipe.compute, launch), launch);
    auto examples = read_split(run.recipe.data, split);
    // What is skipped does not count; what is an error does not matter unused.
    if (run.recipe.data.too_long == TooLong::kError) keep_first(examples);
    examples = fit_to_policy(
        std::move(examples),
        run.recipe,
        ExamplesFor::kEvaluation,
        *open_policy(run.policy(), {compute.load}));
    keep_first(examples);
    data_ = describe(run, split, examples);
    for (const EvaluatedRun& other : others)
      check_overlap(other, split, examples);
    set_options(run);
    const std::unique_ptr<Group> group =
        join_ranks(launch, request(run), compute, run.recipe.distributed);
    if (launch.size > 1) compare_inputs(*group, inputs_of(run, others));
    Report report = evaluate_all(run, others, compute, examples, *group);
    finish(report, run);
    report.cost["evaluation_seconds"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    do_on_first(*group, [&] {
      write_report(target, report);
      print(report, target);
    });
    return 0;
  }

 private:
  // NAME=RUN,RUN,.. of --method, and the baselines that they add.
  void read_methods() {
    for (const std::string& text : methods_) {
      const std::size_t cut = text.find('=');
      MethodRuns method;
      if (cut != std::string::npos) {
        method.name = text.substr(0, cut);
        for (const std::string& run : split(text.substr(cut + 1), ','))
          if (!run.empty()) method.runs.push_back(run);
      }
      if (method.name.empty() || method.runs.empty()) {
        throw_caller_error(
            "--method {}: is not NAME=RUN,RUN,..; give a name and the runs of "
            "its training seeds",
            quote_text(text));
      }
      for (const std::string& run : method.runs) {
        const bool known =
            run == run_ ||
            std::find(baselines_.begin(), baselines_.end(), run) !=
                baselines_.end();
        if (!known) baselines_.push_back(run);
      }
      compare_.methods.push_back(std::move(method));
    }
    compare_.bank = bank_;
    if (std::find(baselines_.begin(), baselines_.end(), run_) ==
        baselines_.end())
      compare_.policy = run_;
    if (!baselines_.empty() || !bank_.empty())
      check_methods(baselines_, compare_);
  }

  EvaluatedRun open_run() const {
    if (recipe_.empty()) return open_evaluated_run(run_);
    if (fs::exists(fs::path(run_) / "recipe.yaml")) {
      throw_caller_error(
          "{} has a recipe of its own, by which it is measured; leave out "
          "--recipe",
          run_);
    }
    const Recipe recipe = open_recipe(recipe_);
    return open_evaluated_run(run_, &recipe);
  }

  void keep_first(std::vector<Example>& examples) const {
    if (prompts_ && *prompts_ < examples.size()) examples.resize(*prompts_);
  }

  // What the report says about the prompts; refuses those that were seen.
  EvaluationData describe(
      const EvaluatedRun& run,
      Split split,
      const std::vector<Example>& examples) {
    EvaluationData data;
    data.split = split_name(split);
    data.file = split_files(run.recipe.data, split);
    data.hash = hash_split(run.recipe.data, split);
    data.prompts = examples.size();
    data.overlap = check_overlap(run, split, examples);
    return data;
  }

  std::size_t check_overlap(
      const EvaluatedRun& run,
      Split split,
      const std::vector<Example>& examples) {
    return check_unseen(
        run, examples, run.info.prompt.parsed(), split, remarks_);
  }

  void set_options(const EvaluatedRun& run) {
    options_.max_new_tokens = run.recipe.training.max_new_tokens;
    options_.reference_field = run.recipe.data.reference_field;
    const PromptTemplate* fields = run.info.prompt.parsed().fields();
    if (fields && fields->field_names().size() == 1)
      options_.shown_field = fields->field_names()[0];
    const bool several = run.info.objectives.size() == 1 && has_alpha_knob(run);
    const std::int64_t count = alphas_ ? static_cast<std::int64_t>(*alphas_)
                               : several && !alpha_ ? kAlphasOfOneObjective
                                                    : 1;
    if (count > 1) {
      options_.alphas = spread_alphas(run.info.kl_range, count);
    } else {
      options_.alphas = {alpha_.value_or(run.info.default_alpha)};
    }
  }

  // Everything that ranks must have been told alike.
  std::string request(const EvaluatedRun& run) const {
    std::string alphas;
    for (const double alpha : options_.alphas)
      alphas += shortest_number(alpha) + " ";
    return fmt::format(
        "{}\n{} {} {} {} {}\n{}\n{}\n{}\n{}",
        print_recipe(run.recipe),
        split_,
        data_.prompts,
        options_.weightings,
        options_.samples_per_prompt,
        options_.seed,
        alphas,
        join(baselines_, "\n"),
        join(methods_, "\n"),
        bank_);
  }

  InputHashes inputs_of(
      const EvaluatedRun& run, const std::vector<EvaluatedRun>& others) const {
    RunInputs inputs;
    inputs.add_reward_files(run.recipe.objectives);
    const auto add = [&](const std::string& what, const EvaluatedRun& one) {
      inputs.add_path(what, one.policy());
      if (one.step)
        inputs.add_path(what + "'s copies", copies_at(one.at_step()));
    };
    add("policy", run);
    for (const EvaluatedRun& other : others)
      add("policy of " + other.name, other);
    InputHashes hashes = inputs.hashes();
    hashes["data." + data_.split] = data_.hash;
    return hashes;
  }

  Report evaluate_all(
      const EvaluatedRun& run,
      const std::vector<EvaluatedRun>& others,
      const Compute& compute,
      const std::vector<Example>& examples,
      Group& group) {
    const ObjectiveSet objectives =
        make_objectives(run.recipe.objectives, ".", compute.load.device);
    Report report =
        evaluate(run, options_, compute, objectives, examples, "policy", group);
    std::vector<ComparedRun> compared;
    for (const EvaluatedRun& other : others) {
      compared.push_back(
          {other.name,
           evaluate(
               other,
               options_of(other),
               compute,
               objectives,
               examples,
               other.name,
               group)});
    }
    add_baselines(report, std::move(compared), compare_);
    add_remarks(run);
    for (const EvaluatedRun& other : others)
      add_remarks(other);
    return report;
  }

  void add_remarks(const EvaluatedRun& run) {
    remarks_.insert(remarks_.end(), run.remarks.begin(), run.remarks.end());
  }

  // The main run's alphas, or the nearest that the other answers to.
  EvaluateOptions options_of(const EvaluatedRun& other) const {
    EvaluateOptions options = options_;
    for (double& alpha : options.alphas)
      alpha = nearest_alpha(other.info.kl_range, alpha);
    std::sort(options.alphas.begin(), options.alphas.end());
    options.alphas.erase(
        std::unique(options.alphas.begin(), options.alphas.end()),
        options.alphas.end());
    return options;
  }

  Report evaluate(
      const EvaluatedRun& run,
      const EvaluateOptions& options,
      const Compute& compute,
      const ObjectiveSet& objectives,
      const std::vector<Example>& examples,
      const std::string& what,
      Group& group) {
    const std::int64_t steerings =
        evaluated_steerings(objectives.size(), options);
    const auto policy = open_policy(run, {compute.load, steerings});
    const std::int64_t weightings =
        objectives.size() == 1 ? 1 : options.weightings;
    const std::size_t alphas = options.alphas.size();
    log_info(
        "evaluating {} on {} prompts at {} weighting{}{} ({})",
        what,
        examples.size(),
        weightings,
        weightings == 1 ? "" : "s",
        alphas == 1 ? "" : fmt::format(" and {} alphas", alphas),
        compute.describe());
    log_steerings(*policy, steerings);
    check_alpha(run, *policy, policy->fill_prompt(examples.at(0)));
    // The last call comes before the answers are scored.
    const auto start = std::chrono::steady_clock::now();
    double seconds = 0;
    Report report = evaluate_policy(
        *policy,
        objectives,
        examples,
        options,
        [&](std::int64_t done, std::int64_t all) {
          log_info("evaluated {} of {} completions", done, all);
          seconds = std::chrono::duration<double>(
                        std::chrono::steady_clock::now() - start)
                        .count();
        },
        &group);
    report.policy = run.facts;
    report.run_cost = cost_of(run, *policy);
    const double tokens = report.cost.at(kAnswerTokens);
    if (seconds > 0) report.run_cost->tokens_per_second = tokens / seconds;
    report.provenance["steering"] = fmt::format(
        "{} steerings, the reference included: {}",
        steerings,
        policy->steering_way(steerings));
    report.data = data_;
    return report;
  }

  static RunCost cost_of(const EvaluatedRun& run, const Policy& policy) {
    RunCost cost = read_run_cost(run);
    const auto* steered = dynamic_cast<const SteeredPolicy*>(&policy);
    if (steered == nullptr || steered->conditioning() == nullptr) return cost;
    const ParameterCounts counts = steered->conditioning()->counts();
    cost.parameters = static_cast<double>(counts.trained);
    cost.share =
        static_cast<double>(counts.steered) / static_cast<double>(counts.model);
    cost.passes = 1;
    return cost;
  }

  // Whether alpha is a knob at all; the front may be at one alpha only.
  void check_alpha(
      const EvaluatedRun& run, Policy& policy, const Prompt& prompt) {
    if (!has_alpha_knob(run)) return;
    if (knob_effects(policy, prompt).alpha >= kLeastSteeringEffect) return;
    remarks_.push_back(fmt::format(
        "Warning: the policy of {} does not answer to alpha: its logits at "
        "alpha {} equal those at 1.",
        run.name,
        shortest_number(policy.kl_range().alpha_min())));
  }

  void finish(Report& report, const EvaluatedRun& run) const {
    report.title = run.recipe.name;
    report.notes.insert(report.notes.end(), remarks_.begin(), remarks_.end());
    const auto steps = run.facts.steps.value_or(0);
    report.training =
        read_training_rows(run.directory / "metrics.jsonl", report.objectives);
    std::erase_if(report.training, [&](const TrainingRow& row) {
      return row.step > static_cast<double>(steps);
    });
    report.provenance.insert(
        {{"moft", std::string(MOFT_VERSION_STRING) + " " + kGitRevision},
         {"recipe", run.recipe.name},
         {"base model", run.facts.base},
         {"split", data_.split},
         {"held-out prompts", std::to_string(data_.prompts)},
         {"xxh3 data." + data_.split, data_.hash},
         {"temperature", shortest_number(run.facts.temperature)},
         {"training alpha", shortest_number(run.facts.alpha)},
         {"training seed",
          run.lent ? "not known" : std::to_string(run.recipe.training.seed)},
         {"training steps", steps_text(run.facts)}});
    for (const BaselinePolicy& baseline : report.baselines) {
      report.provenance["baseline " + baseline.name] = fmt::format(
          "{}, {} steps, temperature {}, alpha {}",
          baseline.policy->base,
          steps_text(*baseline.policy),
          shortest_number(baseline.policy->temperature),
          shortest_number(baseline.policy->alpha));
    }
  }

  static std::string steps_text(const PolicyFacts& facts) {
    return facts.steps ? std::to_string(*facts.steps) : "not known";
  }

  static void print(const Report& report, const fs::path& target) {
    print_result(
        "\n{} prompts of data.{}: {}\n\n{}\n",
        report.data->prompts,
        report.data->split,
        report.data->file,
        results_table(report));
    for (const SampleText& text : report.texts) {
      print_result("{}\n", sample_block(report, text));
    }
    for (const std::string& note : report.notes)
      print_result("* {}\n", note);
    print_result(
        "\nreport: {}\n", (target / "index.html").lexically_normal().string());
  }

  std::string run_;
  std::string recipe_;
  std::string output_;
  std::string split_ = "evaluation";
  std::optional<std::size_t> prompts_;
  std::optional<double> alpha_;
  std::optional<std::uint64_t> alphas_;
  std::vector<std::string> baselines_;
  std::vector<std::string> methods_;
  std::string bank_;
  CompareOptions compare_;
  EvaluateOptions options_;
  EvaluationData data_;
  std::vector<std::string> remarks_;
};

}  // namespace

std::unique_ptr<Command> make_evaluate_command() {
  return std::make_unique<EvaluateCommand>();
}

}  // namespace moft
