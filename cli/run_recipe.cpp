// From the words of a command to a finished run, whatever its recipe's kind.
#include <string>
#include <vector>

#include "moft/distributed/together.h"
#include "moft/training/run.h"

#include "cli/command.h"
#include "cli/find_launch.h"
#include "cli/join_ranks.h"
#include "cli/recipe_job.h"
#include "cli/run_output.h"
#include "cli/signals.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

struct RunArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  OutputFlags output;
};

// The command line that resumes a run: "moft train r.yaml 'a=1' --output DIR".
std::string command_line(
    std::string_view command,
    const RunArguments& arguments,
    const std::string& directory) {
  std::string line = "moft " + std::string(command) + " " + arguments.recipe;
  for (const std::string& word : arguments.overrides)
    line += " '" + word + "'";
  return line + " --output " + directory;
}

// Decides where the run writes, and gives the recipe that path.
RunOutput settle_output(const OutputFlags& flags, RecipeHeader& recipe) {
  RunOutput output = choose_output(flags, recipe.output);
  output.directory = fs::absolute(output.directory).lexically_normal().string();
  recipe.output = output.directory;
  return output;
}

// Fills everything except the kind and on_evaluate. `text` is the effective
// recipe as YAML.
RunSetup make_run_setup(
    const RecipeHeader& recipe,
    std::string text,
    const RunInputs& inputs,
    const Compute& compute) {
  RunSetup setup;
  setup.directory = recipe.output;
  setup.recipe = std::move(text);
  setup.input_hashes = inputs.hashes();
  setup.watch = inputs.watch();
  setup.device = compute.load.device.str();
  setup.threads = compute.threads;
  setup.stop_requested = [] { return interrupted_by() != 0; };
  return setup;
}

class RecipeRunner : public Command {
 public:
  explicit RecipeRunner(const RecipeKind& kind) : kind_(kind) {}

  void declare(Parser& parser) override {
    add_recipe_arguments(
        parser, arguments_.recipe, arguments_.overrides, kind_.recipe_help);
    add_output_flags(parser, arguments_.output);
  }

  bool runs_over_ranks() const override { return true; }

  int run() override {
    catch_interrupts();
    const RecipeSource source = find_recipe(arguments_.recipe);
    require_kind(source, kind_.command);
    job_ = kind_.open(source, arguments_.overrides);
    launch_ = find_launch();
    if (launch_.size > 1) job_->use_ranks(launch_.size);
    job_->resolve_paths(source);
    output_ = settle_output(arguments_.output, job_->header());
    job_->make_paths_absolute();
    const RunPlan plan = job_->plan();
    check_output(arguments_.output, output_, plan);
    const Compute compute =
        use_compute(share_cores(job_->header().compute, launch_), launch_);
    const RunBegins begins = arguments_.output.resume.empty()
                                 ? RunBegins::kFresh
                                 : RunBegins::kResumed;
    job_->check({arguments_.recipe,
                 begins,
                 compute.load,
                 launch_.rank,
                 launch_.size,
                 launch_.local_size})
        .findings.settle();
    // Ends with this function, so that an error tells the others.
    const std::unique_ptr<Group> group =
        join_ranks(launch_, job_->text(), compute, job_->header().distributed);
    const OpenedOutput opened =
        open_for_all(*group, arguments_.output, output_, plan);
    if (opened.resume) job_->check_same_recipe(*opened.resume);
    const int code = train(*group, compute, opened.resume);
    job_.reset();  // it uses the group
    return code;
  }

 private:
  int train(
      Group& group,
      const Compute& compute,
      const std::optional<Checkpoint>& resume) {
    const PreparedRun prepared =
        job_->prepare(compute, resume, [&](const RunInputs& inputs) {
          compare_inputs(group, inputs.hashes());
          return &group;
        });
    RunSetup setup =
        make_run_setup(job_->header(), job_->text(), prepared.inputs, compute);
    if (launch_.size > 1) setup.group = &group;
    setup.kind = kind_.run;
    setup.on_evaluate = prepared.on_evaluate;
    if (arguments_.output.overwrite) prepared.publisher->require_finite();
    do_on_first(group, [&] { clear_output(arguments_.output, output_); });
    Run run(std::move(setup), *prepared.trainer, *prepared.publisher, resume);
    const RunOutcome outcome = run.run();
    if (!outcome.finished) {
      return print_stopped(
          outcome, command_line(kind_.command, arguments_, output_.directory));
    }
    if (launch_.rank == 0) job_->print_end(outcome);
    return 0;
  }

  const RecipeKind& kind_;
  RunArguments arguments_;
  RunOutput output_;
  Launch launch_;
  std::unique_ptr<RecipeJob> job_;
};

}  // namespace

std::unique_ptr<Command> make_recipe_runner(const RecipeKind& kind) {
  return std::make_unique<RecipeRunner>(kind);
}

}  // namespace moft
