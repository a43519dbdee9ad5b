// How much memory scoring a step takes, beyond the model, its packed weights
// and gradients: one line of JSON.
//
//   peak --model FILE [--prompts 8] [--samples 16] [--prompt 512] [--new 128]
//        [--budget GB] [--layers all] [--threads N] [--rollout]
//
// Makes completions of random tokens, divides them as training does under
// training.memory_budget, and scores the largest part under the reference and,
// with its gradient, under the policy (adapters in `--layers`). With --rollout
// it decodes the rows that training decodes at once. Parts follow one another,
// so the largest is the step's peak. Needs a fresh process for each shape.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/conditioning/row_steering.h"
#include "moft/generation/generate.h"
#include "moft/generation/policy_directory.h"
#include "moft/generation/steered_policy.h"
#include "moft/kernels/token_log_probs.h"
#include "moft/training/step_memory.h"

#include "benchmarks/measure.h"

namespace moft::benchmarks {
namespace {

struct Flags {
  std::string model;
  std::size_t prompts = 8;
  std::int64_t samples = 16;
  std::size_t prompt = 512;
  std::int64_t fresh = 128;
  double budget = 64.0;
  std::string layers = "all";
  int threads = 0;
  bool rollout = false;
};

// Highest resident memory since the last reset, and the one at that time.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << 5;
    before_ = bytes("VmRSS:");
  }
  std::int64_t growth() const { return bytes("VmHWM:") - before_; }

 private:
  static std::int64_t bytes(const std::string& wanted) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name;
      std::int64_t kilobytes = 0;
      if (words >> name >> kilobytes && name == wanted) return kilobytes * 1024;
    }
    return 0;
  }

  std::int64_t before_ = 0;
};

std::unique_ptr<SteeredPolicy> adapted_policy(const Flags& flags) {
  LoadedModel base = load_language_model(flags.model);
  auto tokenizer = load_base_tokenizer(flags.model, base);
  PolicyDefinition definition;
  definition.objectives = {{"a", 0.0, 1.0}, {"b", 0.0, 1.0}};
  definition.conditioning.lora.layers = flags.layers;
  definition.kl_strength = 0.01;
  definition.prompt_template = "{prompt}";
  return std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), definition, 1);
}

ScoreBatch batch_of(
    const std::vector<std::size_t>& rows,
    const Flags& flags,
    std::int64_t vocabulary) {
  const auto prompts = random_ids(flags.prompts, flags.prompt, vocabulary, 1);
  const auto completions = random_ids(
      rows.size(), static_cast<std::size_t>(flags.fresh), vocabulary, 2);
  ScoreBatch batch;
  std::optional<std::size_t> last;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t prompt =
        rows[i] / static_cast<std::size_t>(flags.samples);
    if (last != prompt) batch.prompts.push_back(prompts[prompt]);
    last = prompt;
    batch.completions.push_back(completions[i]);
    batch.prompt_of_row.push_back(std::ssize(batch.prompts) - 1);
  }
  return batch;
}

void score(SteeredPolicy& policy, const ScoreBatch& batch) {
  std::vector<std::int64_t> ids;
  for (const TokenIds& completion : batch.completions)
    ids.insert(ids.end(), completion.begin(), completion.end());
  const at::Tensor targets = at::tensor(ids, at::kLong);
  LanguageModel& model = policy.model();
  {
    const at::NoGradGuard no_gradient;
    (void)kernels::selected_log_probs(
        model.completion_logits(
            batch, RowSteering::uniform(Coefficients::frozen_reference())),
        targets);
  }
  const Coefficients weighting(0.0, Weighting({0.25, 0.75}));
  Conditioning& conditioning = *policy.conditioning();
  conditioning.zero_gradient();
  conditioning.note_steerings({weighting});
  conditioning.begin_gradient(weighting);
  const at::Tensor logits = model.completion_logits(
      batch,
      RowSteering::per_row(
          {weighting},
          std::vector<std::int64_t>(batch.prompts.size(), 0),
          at::kCPU));
  (void)kernels::entropy(logits.detach());
  const at::Tensor log_probs =
      kernels::selected_log_probs(logits, targets, {.overwrite_logits = true});
  log_probs.sum().backward();
  conditioning.end_gradient(weighting);
}

void roll_out(SteeredPolicy& policy, std::int64_t rows, const Flags& flags) {
  const at::NoGradGuard no_gradient;
  GenerateBatch batch;
  batch.prompts = random_ids(
      flags.prompts, flags.prompt, policy.model().info().vocabulary, 1);
  batch.steerings = {Coefficients(0.0, Weighting({0.25, 0.75}))};
  for (std::int64_t r = 0; r < rows; ++r) {
    batch.rows.push_back({r / flags.samples, 0});
    batch.keys.push_back(
        {1, Purpose::kToken, 0, static_cast<std::uint32_t>(r)});
  }
  batch.record_features = true;
  GenerateOptions options;
  options.max_new_tokens = flags.fresh;
  options.rows_at_once = rows;
  (void)generate(policy.model(), batch, options);
}

// Weights are packed when they are first used: what is held all the time is
// there before the measurement.
void warm_up(SteeredPolicy& policy, Flags flags, std::int64_t vocabulary) {
  flags.prompts = flags.prompt = 1;
  flags.samples = flags.fresh = 2;
  score(policy, batch_of({0}, flags, vocabulary));
  roll_out(policy, 1, flags);
}

void run(const Flags& flags) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  const auto policy = adapted_policy(flags);
  StepShape shape;
  shape.prompt_tokens.assign(
      flags.prompts, static_cast<std::int64_t>(flags.prompt));
  shape.samples = flags.samples;
  shape.new_tokens = flags.fresh;
  const StepMemory memory(
      shape,
      step_costs(
          shape_of(*policy->base().model),
          policy->definition().conditioning,
          KlEstimator::kSequence),
      {.bytes = static_cast<std::int64_t>(flags.budget * 1e9),
       .key = "--budget",
       .cure = "lower --new or --prompt"});
  std::vector<std::size_t> prompts(flags.prompts);
  for (std::size_t p = 0; p < prompts.size(); ++p)
    prompts[p] = p;
  const auto parts = memory.parts_of(prompts);
  const auto& largest = *std::max_element(
      parts.begin(), parts.end(), [&](const auto& a, const auto& b) {
        return memory.scoring_bytes(a) < memory.scoring_bytes(b);
      });
  const std::int64_t at_once = memory.rows_at_once();
  const std::int64_t vocabulary = policy->model().info().vocabulary;
  warm_up(*policy, flags, vocabulary);
  const PeakMemory peak;
  if (flags.rollout) {
    roll_out(*policy, at_once, flags);
  } else {
    score(*policy, batch_of(largest, flags, vocabulary));
  }
  const std::int64_t rows = flags.rollout ? at_once : std::ssize(largest);
  const std::int64_t estimate = flags.rollout ? memory.rollout_bytes(at_once)
                                              : memory.scoring_bytes(largest);
  fmt::print(
      "{}\n",
      nlohmann::json{
          {"work", flags.rollout ? "rollout" : "scoring"},
          {"new", flags.fresh},
          {"budget_gb", flags.budget},
          {"parts",
           flags.rollout ? (shape.rows() + at_once - 1) / at_once
                         : std::ssize(parts)},
          {"rows", rows},
          {"estimate_gb", static_cast<double>(estimate) / 1e9},
          {"peak_gb", static_cast<double>(peak.growth()) / 1e9}}
          .dump());
}

}  // namespace
}  // namespace moft::benchmarks

int main(int argc, char** argv) {
  moft::benchmarks::Flags flags;
  CLI::App app("Memory of a training step's largest part");
  app.add_option("--model", flags.model, "language model")->required();
  app.add_option("--prompts", flags.prompts, "prompts of a step");
  app.add_option("--samples", flags.samples, "completions of each prompt");
  app.add_option("--prompt", flags.prompt, "tokens of a prompt");
  app.add_option("--new", flags.fresh, "tokens of a completion");
  app.add_option("--budget", flags.budget, "training.memory_budget, GB");
  app.add_option("--layers", flags.layers, "layers with adapters");
  app.add_option("--threads", flags.threads, "0: libtorch's choice");
  app.add_flag("--rollout", flags.rollout, "decode instead of scoring");
  CLI11_PARSE(app, argc, argv);
  try {
    moft::benchmarks::run(flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "peak: {}\n", error.what());
    return 1;
  }
  return 0;
}
