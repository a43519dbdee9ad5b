// How well rewards from outside overlap with a step's own work: one line of
// JSON with all terms, in seconds from the first token.
//
//   reward_overlap --model FILE [--workers 8] [--unit group] [--delay 0.2]
//                  [--threads N] [--steps 3]
//
// An OnlineTrainer takes steps of 64 rows (8 prompts of 8), whose lengths
// between 8 and 64 the seed says, while a program takes `delay` seconds for
// each row of a call. What the trainer uses is watched from outside: the model,
// whose logits are changed so that a row ends where it should, the channels to
// the program, and an objective that is computed here.
//
//   finished       the last token of each prompt's last row
//   generated      the last token of all
//   reference      what scoring under the reference takes
//   last_reference when the last of these scores is there
//   scored         when the policy's are there too
//   answered       when each call's answer is there
//   waited         by the step for answers, after `scored`
//   ideal          the end of the rewards if each call begins when its prompt
//                  is finished and a worker is free, and takes `delay` a row
//   ratio          the last of (last_reference, answered) over the larger of
//                  (generated + reference) and ideal
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>

#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/random.h"
#include "moft/generation/policy_directory.h"
#include "moft/models/decoder.h"
#include "moft/rewards/outside/lines_channel.h"
#include "moft/rewards/outside/outside_reward.h"
#include "moft/training/online.h"
#include "moft/weightings/weighting_options.h"

namespace moft::benchmarks {
namespace {

constexpr std::int64_t kPrompts = 8;
constexpr std::int64_t kSamples = 8;
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
  int steps = 3;
};

std::int64_t length_of(std::size_t row) {
  RandomStream lengths(7, Purpose::kTest, 0, static_cast<std::uint32_t>(row));
  return kShortest +
         static_cast<std::int64_t>(lengths.below(kLongest - kShortest + 1));
}

// What happened in a step, in seconds from its first token.
class Watch {
 public:
  void first_token() { start_ = Clock::now(); }
  double now() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }
  void answered(double time) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(time);
  }
  std::vector<double> take_answers() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

  std::map<std::size_t, double> ended;  // by row
  std::vector<double> passes;           // the beginnings of scoring
  double scored = 0.0;

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  std::vector<double> answers_;
};

// Rows end where length_of() says.
class WatchedDecoder : public Decoder {
 public:
  WatchedDecoder(std::unique_ptr<Decoder> inner, TokenId end, Watch& watch)
      : inner_(std::move(inner)), end_(end), watch_(watch) {}

  Admission admit(const DecodeGroup& group) override {
    Admission admission = inner_->admit(group);
    for (const Slot slot : admission.slots)
      rows_[slot] = {next_row_++, 0};
    return admission;
  }
  ReadyRows prefill(std::int64_t tokens) override {
    ReadyRows ready = inner_->prefill(tokens);
    set_ends(ready.slots, ready.logits);
    watch_.first_token();
    return ready;
  }
  at::Tensor step(
      std::span<const Slot> slots,
      std::span<const std::int32_t> tokens) override {
    const at::Tensor logits = inner_->step(slots, tokens);
    set_ends(slots, logits);
    return logits;
  }
  void evict(Slot slot) override {
    watch_.ended[rows_.at(slot).row] = watch_.now();
    inner_->evict(slot);
  }
  std::shared_ptr<const Features> features() const override {
    return inner_->features();
  }
  std::shared_ptr<const PromptGraph> prompt_graph() const override {
    return inner_->prompt_graph();
  }

 private:
  struct Row {
    std::size_t row = 0;
    std::int64_t tokens = 0;
  };

  void set_ends(std::span<const Slot> slots, const at::Tensor& logits) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      Row& row = rows_.at(slots[i]);
      const at::Tensor own = logits[static_cast<std::int64_t>(i)];
      const bool last = ++row.tokens == length_of(row.row);
      if (last) own.fill_(-INFINITY);
      own[end_].fill_(last ? 0.0 : -INFINITY);
    }
  }

  std::unique_ptr<Decoder> inner_;
  TokenId end_;
  Watch& watch_;
  std::map<Slot, Row> rows_;
  std::size_t next_row_ = 0;
};

class WatchedModel : public LanguageModel {
 public:
  WatchedModel(std::unique_ptr<LanguageModel> inner, Watch& watch)
      : LanguageModel(inner->device()),
        inner_(std::move(inner)),
        watch_(watch) {
    info_ = inner_->info();
    steerable_ = inner_->steerable();
  }

  at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) override {
    watch_.passes.push_back(watch_.now());
    inner_->steerable() = steerable_;  // with what conditioning changed
    return inner_->completion_states(batch, steering);
  }
  at::Tensor logits(
      const at::Tensor& states, const RowSteering& steering) const override {
    return inner_->logits(states, steering);
  }
  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override {
    inner_->steerable() = steerable_;
    return std::make_unique<WatchedDecoder>(
        inner_->open_decoder(limits), info_.end_tokens.front(), watch_);
  }

 private:
  std::unique_ptr<LanguageModel> inner_;
  Watch& watch_;
};

class WatchedChannel : public RewardChannel {
 public:
  WatchedChannel(std::unique_ptr<RewardChannel> inner, Watch& watch)
      : inner_(std::move(inner)), watch_(watch) {}
  RewardReply ask(
      const RewardCall& call,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped) override {
    RewardReply reply = inner_->ask(call, deadline, stopped);
    watch_.answered(watch_.now());
    return reply;
  }

 private:
  std::unique_ptr<RewardChannel> inner_;
  Watch& watch_;
};

// Computed here, before a step waits for the others.
class WatchedReward : public Reward {
 public:
  WatchedReward(std::string name, Watch& watch)
      : Reward(std::move(name)), watch_(watch) {}

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    watch_.scored = watch_.now();
    return std::vector<double>(batch.rows(), 0.5);
  }

 private:
  Watch& watch_;
};

std::unique_ptr<SteeredPolicy> make_policy(const Flags& flags, Watch& watch) {
  LoadedModel base = load_language_model(flags.model);
  auto tokenizer = load_base_tokenizer(flags.model, base);
  base.model = std::make_unique<WatchedModel>(std::move(base.model), watch);
  PolicyDefinition definition;
  definition.objectives = {{"a", 0.0, 1.0}, {"b", 0.0, 1.0}};
  definition.kl_strength = 0.01;
  definition.prompt_template = "{prompt}";
  return std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), definition, 1);
}

ObjectiveSet make_rewards(const Flags& flags, Watch& watch) {
  LinesOptions lines;
  lines.command = {"python3", "-c", kScorer, std::to_string(flags.delay)};
  lines.place = "scorer";
  SourceOptions options;
  options.workers = flags.workers;
  for (const auto& [unit, name] : enum_names(CallUnit{}))
    if (name == flags.unit) options.unit = unit;
  const auto open = [lines, &watch](
                        const SourceOutputs& outputs,
                        RewardClock::time_point deadline,
                        const std::atomic<bool>& stopped) {
    return std::make_unique<WatchedChannel>(
        std::make_unique<LinesChannel>(lines, outputs, deadline, stopped),
        watch);
  };
  const auto source = std::make_shared<RewardSource>("scorer", options, open);
  source->add_output("a", nullptr);
  return ObjectiveSet(
      {{"a",
        std::make_shared<OutsideReward>("a", source, "a", MissingReward::kStop),
        0.0,
        2.0},
       {"b", std::make_shared<WatchedReward>("b", watch)}});
}

std::vector<Example> make_examples() {
  const std::vector<std::string> words = {
      "the", "cat", "and", "dog", "saw", "that", "his", "house", "was", "old"};
  std::vector<Example> examples;
  for (std::uint32_t e = 0; e < 2 * kPrompts; ++e) {
    RandomStream stream(8, Purpose::kTest, 0, e);
    std::string text;
    for (int word = 0; word < 96; ++word)
      text += " " + words[stream.below(words.size())];
    examples.push_back({.id = std::to_string(e), .fields = {{"prompt", text}}});
  }
  return examples;
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

nlohmann::json terms_of(
    const Flags& flags, Watch& watch, const StepResult& result) {
  std::vector<double> finished(kPrompts, 0.0);
  double generated = 0.0;
  for (const auto& [row, time] : watch.ended) {
    double& group = finished[row / kSamples];
    group = std::max(group, time);
    generated = std::max(generated, time);
  }
  const double ideal =
      ideal_schedule(finished, flags.delay * kSamples, flags.workers);
  const double reference = result.times.reference;
  // All parts under the reference, then all under the policy, whose first
  // pass begins when the last score of the reference is there; what follows is
  // for the gradient.
  const std::size_t parts =
      static_cast<std::size_t>(std::count_if(
          watch.passes.begin(),
          watch.passes.end(),
          [&](double begin) { return begin < watch.scored; })) /
      2;
  const double last_reference = watch.passes.at(parts);
  const std::vector<double> answers = watch.take_answers();
  const double last_answer = *std::max_element(answers.begin(), answers.end());
  return {
      {"unit", flags.unit},
      {"workers", flags.workers},
      {"delay", flags.delay},
      {"parts", parts},
      {"finished", finished},
      {"generated", generated},
      {"reference", reference},
      {"last_reference", last_reference},
      {"scored", watch.scored},
      {"answered", answers},
      {"waited", result.metrics.at("time/rewards/a")},
      {"ideal", ideal},
      {"ratio",
       std::max(last_answer, last_reference) /
           std::max(generated + reference, ideal)}};
}

void run(const Flags& flags) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  Watch watch;
  const auto policy = make_policy(flags, watch);
  const ObjectiveSet objectives = make_rewards(flags, watch);
  const std::vector<Example> examples = make_examples();
  TrainerInputs inputs;
  inputs.policy = policy.get();
  inputs.objectives = &objectives;
  inputs.examples = &examples;
  TrainingOptions options;
  options.steps = flags.steps + 1;
  options.prompts_per_step = kPrompts;
  options.samples_per_prompt = kSamples;
  options.max_new_tokens = kLongest;
  OnlineTrainer trainer(
      inputs, options, make_weighting_sampler({}, {"a", "b"}, "weightings"));
  for (int step = 0; step <= flags.steps; ++step) {
    watch.ended.clear();
    watch.passes.clear();
    (void)watch.take_answers();
    const StepResult result = trainer.step();
    if (step == 0) continue;  // packs weights, starts programs
    fmt::print("{}\n", terms_of(flags, watch, result).dump());
    std::fflush(stdout);
  }
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
  app.add_option("--steps", flags.steps, "steps that are measured");
  CLI11_PARSE(app, argc, argv);
  try {
    moft::benchmarks::run(flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "reward_overlap: {}\n", error.what());
    return 1;
  }
  return 0;
}
