// `moft plan`: what a recipe needs of memory, of the links between ranks and of
// time, before it runs.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/models/outline.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/measure_rates.h"
#include "moft/recipes/memory_question.h"
#include "moft/recipes/plan_devices.h"
#include "moft/recipes/preflight_looks.h"
#include "moft/recipes/start.h"

#include "cli/command.h"
#include "cli/plan_report.h"
#include "cli/recipe_kind.h"

namespace moft {

namespace {

class PlanCommand : public Command {
 public:
  void declare(Parser& parser) override {
    add_recipe_arguments(parser, recipe_, overrides_);
    parser.add_option("--ranks", ranks_, "Processes that share each step")
        .range(1, 65536);
    parser
        .add_option(
            "--device",
            device_,
            "Predict for one of these instead of measuring here: " +
                join(plan_device_names(), ", "))
        .default_text("this machine");
    parser
        .add_option(
            "--mean-length",
            mean_length_,
            "Tokens of an answer, on average; default: as measured, or "
            "training.max_new_tokens with --device")
        .type_name("TOKENS");
    parser
        .add_option(
            "--prompt-tokens",
            prompt_tokens_,
            "Tokens of every prompt; default: those of the data, or "
            "data.max_prompt_tokens of a model without weights")
        .range(1, 1 << 24)
        .type_name("TOKENS");
    parser.add_option(
        "--seconds",
        seconds_,
        "How long steps are measured on this machine, in seconds");
    parser.add_flag("--json", json_, "One JSON object");
  }

  int run() override {
    const RecipeSource source = find_recipe(recipe_);
    require_kind(source, "train");
    Recipe recipe = load_recipe(source, overrides_);
    if (!device_.empty()) report_.device = &find_plan_device(device_);
    check_length(recipe.training);
    report_.recipe = recipe.name;
    resolve_path(recipe.policy.model, "policy.model", source);
    if (has_weights(recipe.policy.model)) {
      plan_with_weights(std::move(recipe), source);
    } else {
      plan_shapes(recipe, source);
    }
    fmt::print(
        "{}", json_ ? dump_json(json_of(report_)) + "\n" : text_of(report_));
    return 0;
  }

 private:
  void check_length(const TrainingOptions& training) const {
    if (!mean_length_) return;
    const auto most = static_cast<double>(training.max_new_tokens);
    if (*mean_length_ > 0.0 && *mean_length_ <= most) return;
    throw_caller_error(
        "--mean-length is {}, but training.max_new_tokens allows {}; give a "
        "number above 0 and at most that",
        shortest_number(*mean_length_),
        training.max_new_tokens);
  }

  // For a model that is only a config.json: nothing is read but shapes.
  void plan_shapes(Recipe& recipe, const RecipeSource& source) {
    std::optional<ModelShape> value;
    if (auto& path = recipe.training.value.model;
        path && recipe.training.has_value_network()) {
      resolve_path(*path, "training.value.model", source);
      value = shape_of(*outline_language_model(*path));
    }
    const auto model = outline_language_model(recipe.policy.model);
    assume(memory_question(
        recipe,
        {shape_of(*model), value, {}},
        recipe.data.max_prompt_tokens,
        at::kCPU));
    if (report_.device == nullptr) {
      report_.notes.push_back(
          "the model has no weights here, so no step was measured; --device "
          "predicts with assumed rates");
    }
  }

  void plan_with_weights(Recipe recipe, const RecipeSource& source) {
    resolve_paths(recipe, source);
    refuse_policies(recipe);
    resolve_start(recipe, source);
    // Its own device is not asked for when another is planned.
    if (report_.device != nullptr) recipe.compute.device = DeviceChoice::kCpu;
    Recipe share = share_of(recipe);
    const Compute compute = use_compute(recipe.compute);
    TrainPreflight ready =
        check_training(share, {source.place, RunBegins::kFresh, compute.load});
    if (!ready.memory || !ready.models.objectives) ready.findings.settle();
    for (const std::string& problem : ready.findings.problems())
      log_warning("{}", problem);
    MemoryQuestion question = *ready.memory;
    question.training = recipe.training;
    if (report_.device != nullptr) return assume(std::move(question));
    const MeasuredRates measured =
        measure_rates(share, std::move(ready), compute.load, seconds_);
    MeanLengths lengths = measured.lengths;
    if (prompt_tokens_) lengths.prompt = static_cast<double>(*prompt_tokens_);
    set_prompts(question);
    report_.measured = measured;
    report_.here = compute.describe();
    report_.available = available_memory();
    StepRates rates = measured.rates;
    rates.sending = 1.0 / kLoopbackBytes;
    settle(std::move(question), lengths, rates);
  }

  // What one rank computes of a step. CallerError when the ranks do not divide
  // it.
  Recipe share_of(const Recipe& recipe) const {
    MemoryQuestion question;
    question.training = recipe.training;
    question.ranks = ranks_;
    Recipe share = recipe;
    share.training.gradient_accumulation = parts_of_rank(question);
    share.training.prompts_per_step = prompts_of_rank(question);
    return share;
  }

  // By a device's published figures, or memory alone without a device.
  void assume(MemoryQuestion question) {
    question.on_gpu = report_.device != nullptr;
    question.ranks = ranks_;
    set_prompts(question);
    const MeanLengths lengths{
        static_cast<double>(question.prompt_tokens),
        static_cast<double>(question.training.max_new_tokens)};
    std::optional<StepRates> rates;
    if (report_.device != nullptr) {
      rates = assumed_rates(*report_.device, question, with_length(lengths));
      if (ranks_ > 1) {
        report_.notes.push_back(
            "ranks of moft train run on CPUs only so far and send through "
            "gloo; on the device they are assumed to send at the speed of its "
            "links");
      }
    }
    settle(std::move(question), lengths, rates);
  }

  void set_prompts(MemoryQuestion& question) const {
    if (prompt_tokens_)
      question.prompt_tokens = static_cast<std::int64_t>(*prompt_tokens_);
  }

  MeanLengths with_length(MeanLengths lengths) const {
    if (mean_length_) lengths.answer = *mean_length_;
    return lengths;
  }

  void settle(
      MemoryQuestion question,
      MeanLengths lengths,
      const std::optional<StepRates>& rates) {
    question.ranks = ranks_;
    question.sharding = sharding_of(question);
    report_.memory = estimate_memory(question);
    report_.lengths = with_length(lengths);
    report_.work = work_of_rank(question, report_.lengths);
    report_.rates = rates;
    report_.question = std::move(question);
  }

  std::string recipe_;
  std::vector<std::string> overrides_;
  std::int64_t ranks_ = 1;
  std::string device_;
  std::optional<double> mean_length_;
  std::optional<std::uint64_t> prompt_tokens_;
  double seconds_ = 30.0;
  bool json_ = false;
  PlanReport report_;
};

}  // namespace

std::unique_ptr<Command> make_plan_command() {
  return std::make_unique<PlanCommand>();
}

}  // namespace moft
