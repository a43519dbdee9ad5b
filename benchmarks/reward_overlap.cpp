// How well rewards from outside overlap with a step's own work: one line of
// JSON with all terms, in seconds from the first token.
//
//   reward_overlap --model FILE [--workers 8] [--unit group] [--delay 0.2]
//                  [--threads N]
//
// 64 rows (8 prompts of 8) of lengths between 8 and 64 by seed are sampled and
// scored under reference and policy, while a program takes `delay` seconds for
// each row of a call. The ideal schedule begins a call when its prompt's last
// row was measured to be finished and a worker is free. `ratio` is the time to
// the last reward and score over the larger of (sampling and scoring) and that
// schedule.
#include <algorithm>
#include <chrono>
#include <optional>

#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/random.h"
#include "moft/generation/policy_directory.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/outside/command_reward.h"
#include "moft/training/log_ratios.h"
#include "moft/training/step_rewards.h"

#include "benchmarks/measure.h"

namespace moft::benchmarks {
namespace {

constexpr std::size_t kPrompts = 8;
constexpr std::size_t kSamples = 8;
constexpr std::size_t kRows = kPrompts * kSamples;
constexpr std::int64_t kShortest = 8;
constexpr std::int64_t kLongest = 64;

constexpr const char* kScorer = R"(import json, sys, time
for line in sys.stdin:
    call = json.loads(line)
    rows = len(call["completions"])
    time.sleep(float(sys.argv[1]) * rows)
    print(json.dumps({"id": call["id"], "rewards": {"a": [1.0] * rows}}),
          flush=True)
)";

struct Flags {
  std::string model;
  std::int64_t workers = 8;
  std::string unit = "group";
  double delay = 0.2;
  int threads = 0;
};

class Clock {
 public:
  double seconds() const {
    return std::chrono::duration<double>(
               std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

std::unique_ptr<SteeredPolicy> make_policy(const Flags& flags) {
  LoadedModel base = load_language_model(flags.model);
  auto tokenizer = load_base_tokenizer(flags.model, base);
  PolicyDefinition definition;
  definition.objectives = {{"a", 0.0, 1.0}, {"b", 0.0, 1.0}};
  definition.kl_strength = 0.01;
  definition.prompt_template = "{prompt}";
  return std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), definition, 1);
}

ObjectiveSet make_rewards(const Flags& flags) {
  CommandOptions options;
  options.run = {"python3", "-c", kScorer, std::to_string(flags.delay)};
  options.workers = flags.workers;
  for (const auto& [unit, name] : enum_names(CallUnit{}))
    if (name == flags.unit) options.unit = unit;
  return make_objectives({{"a", ObjectiveOptions("command", options)}}, {});
}

Draw make_draw(const SteeredPolicy& policy, const Example& example) {
  Draw draw;
  draw.samples_per_prompt = kSamples;
  draw.prompts =
      random_ids(kPrompts, 96, policy.base().model->info().vocabulary, 1);
  draw.plain_prompts = draw.prompts;
  const Steering steering{Weighting({0.5, 0.5}), 0.01};
  for (std::size_t p = 0; p < kPrompts; ++p) {
    draw.examples.push_back(&example);
    draw.prompt_texts.push_back("prompt");
    draw.steerings.push_back(steering);
    draw.coefficients.push_back(policy.coefficients_of(steering));
  }
  return draw;
}

GenerateBatch batch_of(const Draw& draw) {
  GenerateBatch batch;
  batch.prompts = draw.prompts;
  batch.steerings = draw.coefficients;
  for (std::size_t r = 0; r < kRows; ++r) {
    const auto row = static_cast<std::uint32_t>(r);
    const auto p = static_cast<std::int64_t>(draw.prompt_of(r));
    batch.rows.push_back({p, p});
    batch.keys.push_back({1, Purpose::kToken, 0, row});
    RandomStream lengths(7, Purpose::kTest, 0, row);
    RowOptions options;
    options.max_new_tokens =
        kShortest +
        static_cast<std::int64_t>(lengths.below(kLongest - kShortest + 1));
    batch.options.push_back(options);
  }
  batch.record_features = true;
  return batch;
}

// The end of the last of these calls on `workers` workers, in the order in
// which they can begin.
double ideal_schedule(
    std::vector<double> begins, double seconds, std::int64_t workers) {
  std::sort(begins.begin(), begins.end());
  std::vector<double> free(static_cast<std::size_t>(workers), 0.0);
  double last = 0.0;
  for (const double begin : begins) {
    auto worker = std::min_element(free.begin(), free.end());
    *worker = std::max(*worker, begin) + seconds;
    last = std::max(last, *worker);
  }
  return last;
}

struct Terms {
  double generated = 0.0;
  double scored = 0.0;
  double rewarded = 0.0;
  std::vector<double> finished = std::vector<double>(kPrompts, 0.0);
};

Terms take_step(SteeredPolicy& policy, const ObjectiveSet& objectives) {
  static const Example kExample{.id = "1"};
  const Draw draw = make_draw(policy, kExample);
  StepRewards rewards(objectives, draw, &policy.tokenizer());
  const OnCompletion on_completion = rewards.on_completion();
  Terms terms;
  std::optional<Clock> clock;
  Rollout rollout;
  rollout.texts.resize(kRows);
  const OnToken on_token = [&](std::size_t, std::int32_t, float) {
    if (!clock) clock.emplace();
    return true;
  };
  const OnRow on_row = [&](std::size_t row, const Generation& generation) {
    rollout.texts[row] = policy.text_of(generation);
    double& finished = terms.finished[draw.prompt_of(row)];
    finished = std::max(finished, clock->seconds());
    on_completion(row, generation, rollout.texts[row]);
  };
  GenerateOptions options;
  options.rows_at_once = kRows;
  Generations generations = generate(
      policy.model(), batch_of(draw), options, nullptr, on_token, on_row);
  rollout.rows = std::move(generations.rows);
  rollout.features = std::move(generations.features);
  terms.generated = clock->seconds();
  StepTimes times;
  TrainingOptions training;
  training.max_new_tokens = kLongest;
  (void)score_log_ratios(policy, draw, rollout, training, times);
  terms.scored = clock->seconds();
  (void)rewards.finish(rollout, times);
  terms.rewarded = clock->seconds();
  return terms;
}

void run(const Flags& flags) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  const auto policy = make_policy(flags);
  const ObjectiveSet objectives = make_rewards(flags);
  objectives.start_sources();
  (void)take_step(*policy, objectives);  // packs weights, starts programs
  const Terms terms = take_step(*policy, objectives);
  const double own = terms.scored;
  const double ideal =
      ideal_schedule(terms.finished, flags.delay * kSamples, flags.workers);
  fmt::print(
      "{}\n",
      nlohmann::json{
          {"unit", flags.unit},
          {"workers", flags.workers},
          {"groups_finished", terms.finished},
          {"generated", terms.generated},
          {"generated_and_scored", own},
          {"ideal_rewards", ideal},
          {"last_reward_and_score", terms.rewarded},
          {"ratio", terms.rewarded / std::max(own, ideal)}}
          .dump());
}

}  // namespace
}  // namespace moft::benchmarks

int main(int argc, char** argv) {
  moft::benchmarks::Flags flags;
  CLI::App app("Overlap of rewards from outside with sampling and scoring");
  app.add_option("--model", flags.model, "language model")->required();
  app.add_option("--workers", flags.workers, "programs that answer");
  app.add_option("--unit", flags.unit, "row, group or step");
  app.add_option("--delay", flags.delay, "seconds that a row takes");
  app.add_option("--threads", flags.threads, "0: libtorch's choice");
  CLI11_PARSE(app, argc, argv);
  try {
    moft::benchmarks::run(flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "reward_overlap: {}\n", error.what());
    return 1;
  }
  return 0;
}
