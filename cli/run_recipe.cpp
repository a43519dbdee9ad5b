// From the words of a command to a finished run, whatever its recipe's kind.
#include "cli/run_recipe.h"

#include <string>

#include "moft/training/run.h"

#include "cli/recipe_job.h"
#include "cli/run_command.h"
#include "cli/signals.h"

namespace moft {
namespace {

class RecipeRunner : public Command {
 public:
  explicit RecipeRunner(const RecipeKind& kind) : kind_(kind) {}

  void declare(Parser& parser) override {
    add_run_arguments(parser, arguments_, kind_.recipe_help);
  }

  int run() override {
    catch_interrupts();
    const RecipeSource source = find_recipe(arguments_.recipe);
    require_kind(source, kind_.command);
    job_ = kind_.open(source, arguments_.overrides);
    job_->resolve_paths(source);
    output_ = settle_output(arguments_.output, job_->header());
    job_->make_paths_absolute();
    const RunPlan plan = job_->plan();
    check_output(arguments_.output, output_, plan);
    const Compute compute = use_compute(job_->header().compute);
    job_->check({arguments_.recipe, begins_by(arguments_.output), compute.load})
        .findings.settle();
    const RunLock lock(output_.directory);
    const auto resume = open_output(arguments_.output, output_, plan);
    if (resume) job_->check_same_recipe(*resume);
    return train(compute, resume);
  }

 private:
  int train(const Compute& compute, const std::optional<Checkpoint>& resume) {
    const PreparedRun prepared = job_->prepare(compute, resume);
    RunSetup setup =
        make_run_setup(job_->header(), job_->text(), prepared.inputs, compute);
    setup.kind = kind_.run;
    setup.on_evaluate = prepared.on_evaluate;
    if (arguments_.output.overwrite) prepared.publisher->require_finite();
    clear_output(arguments_.output, output_);
    Run run(std::move(setup), *prepared.trainer, *prepared.publisher, resume);
    const RunOutcome outcome = run.run();
    if (!outcome.finished) {
      return print_stopped(
          outcome, command_line(kind_.command, arguments_, output_.directory));
    }
    job_->print_end(outcome);
    return 0;
  }

  const RecipeKind& kind_;
  RunArguments arguments_;
  RunOutput output_;
  std::unique_ptr<RecipeJob> job_;
};

}  // namespace

std::unique_ptr<Command> make_recipe_runner(const RecipeKind& kind) {
  return std::make_unique<RecipeRunner>(kind);
}

}  // namespace moft
