// `moft calibrate`: how the reference policy scores on each objective, how the
// objectives correlate, and ranges that would map its spread to [0, 1].
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/data/encode_prompt.h"
#include "moft/distributed/bytes.h"
#include "moft/distributed/together.h"
#include "moft/evaluation/bootstrap.h"
#include "moft/generation/policy_kinds.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/recipe_examples.h"
#include "moft/recipes/run_inputs.h"
#include "moft/recipes/settle_prompt.h"
#include "moft/recipes/start.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/reward_chunks.h"

#include "cli/command.h"
#include "cli/find_launch.h"
#include "cli/join_ranks.h"
#include "cli/recipe_kind.h"

namespace moft {

namespace {

using Column = std::vector<double>;

double mean(const Column& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

// Pearson's r; nothing when a column is constant.
std::optional<double> correlation(const Column& a, const Column& b) {
  const double mean_a = mean(a);
  const double mean_b = mean(b);
  double ab = 0.0;
  double aa = 0.0;
  double bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  if (aa == 0.0 || bb == 0.0) return std::nullopt;
  return ab / std::sqrt(aa * bb);
}

class CalibrateCommand : public Command {
 public:
  void declare(Parser& parser) override {
    add_recipe_arguments(parser, recipe_, overrides_);
    parser
        .add_option(
            "--prompts", prompts_, "Training prompts used, from the first")
        .range(1, 1000000);
    parser.add_option("--samples", samples_, "Completions of each prompt")
        .range(1, 1000);
  }

  bool runs_over_ranks() const override { return true; }

  int run() override {
    const Launch launch = find_launch();
    const RecipeSource source = find_recipe(recipe_);
    require_kind(source, "train");
    Recipe recipe = load_recipe(source, overrides_);
    resolve_paths(recipe, source);
    refuse_policies(recipe);
    if (launch.size > 1) recipe.check_waits("");
    const Compute compute =
        use_compute(share_cores(recipe.compute, launch), launch);
    const auto objectives =
        make_objectives(recipe.objectives, ".", compute.load.device);
    const std::unique_ptr<Group> group = join_ranks(
        launch,
        fmt::format("{}\n{} {}", print_recipe(recipe), prompts_, samples_),
        compute,
        recipe.distributed);
    if (launch.size > 1) {
      RunInputs inputs;
      inputs.add_path("policy.model", recipe.policy.model);
      inputs.add_files("data.train", recipe.data.train);
      inputs.add_reward_files(recipe.objectives);
      compare_inputs(*group, inputs.hashes());
    }
    const RewardBatch batch =
        sample_reference(recipe, compute, objectives, *group);
    RewardMemo memo;
    score_here(objectives, batch, *group, memo);
    do_on_first(*group, [&] {
      const Sample sample = without_skipped(
          {objectives.score(batch, memo),
           {batch.token_counts.begin(), batch.token_counts.end()}});
      print_distributions(objectives, sample.scores);
      print_correlations(objectives, sample);
    });
    return 0;
  }

 private:
  struct Sample {
    Scores scores;
    Column tokens;  // length of each answer
  };

  // Its answers, each rank's share sampled there. The examples stay with the
  // command.
  RewardBatch sample_reference(
      const Recipe& recipe,
      const Compute& compute,
      const ObjectiveSet& objectives,
      Group& group) {
    std::vector<Example>& examples = examples_;
    examples = read_examples(recipe.data.train);
    DataOptions prompts = recipe.data;
    settle_prompt(
        prompts, {"policy.model", recipe.policy.model}, recipe.data.train);
    examples.resize(std::min(examples.size(), prompts_));
    const auto policy = open_reference(
        recipe.policy.model,
        prompts.spec(),
        recipe.policy.temperature,
        base_options(recipe, compute.load));
    const PromptMaker& format = policy->info().prompt.parsed();
    format.check(examples);
    examples = fit_to_policy(
        std::move(examples), recipe, ExamplesFor::kTraining, *policy);
    std::vector<CompletionRequest> requests;
    RewardBatch batch;
    for (const Example& example : examples) {
      const Prompt prompt = make_prompt(format, example, policy->tokenizer());
      for (std::size_t s = 0; s < samples_; ++s) {
        const auto row = static_cast<std::uint32_t>(requests.size());
        const auto seed = static_cast<std::uint64_t>(recipe.training.seed);
        requests.push_back(
            {prompt, std::nullopt, {seed, Purpose::kCalibrate, 0, row}});
        batch.turns.push_back(prompt.turns);
        batch.prompts.push_back(format.render(example));
        batch.examples.push_back(&example);
      }
    }
    log_info(
        "sampling {} completions of the reference ({})",
        requests.size(),
        compute.describe());
    GenerateOptions options;
    options.max_new_tokens = recipe.training.max_new_tokens;
    for (const Completion& answer :
         complete(*policy, requests, options, group)) {
      batch.completions.push_back(answer.text);
      batch.token_counts.push_back(
          static_cast<std::int64_t>(answer.tokens.size()) -
          (answer.finished ? 1 : 0));
      if (!objectives.has_sources()) continue;
      batch.completion_ids.push_back(answer.tokens);
      batch.raw_completions.push_back(
          policy->tokenizer().decode(answer.tokens, /*skip_special=*/false));
    }
    return batch;
  }

  // A rank samples consecutive requests; what a row says does not depend on
  // those beside it.
  static std::vector<Completion> complete(
      Policy& policy,
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options,
      Group& group) {
    if (group.size() == 1) return policy.complete(requests, options);
    const auto ranks = static_cast<std::size_t>(group.size());
    const auto rank = static_cast<std::size_t>(group.rank());
    const auto first = requests.begin();
    const auto at = [&](std::size_t share) {
      return first +
             static_cast<std::ptrdiff_t>(requests.size() * share / ranks);
    };
    const std::vector<CompletionRequest> own(at(rank), at(rank + 1));
    const auto answers = gather_results(group, [&] {
      BytesWriter writer;
      writer.number(own.size());
      if (own.empty()) return std::string(writer.bytes());
      for (const Completion& answer : policy.complete(own, options)) {
        writer.list(answer.text);
        writer.list(answer.tokens);
        writer.number(answer.finished);
      }
      return std::string(writer.bytes());
    });
    std::vector<Completion> all;
    for (const std::string& bytes : answers) {
      BytesReader reader(bytes);
      for (auto left = reader.number<std::size_t>(); left > 0; --left) {
        Completion answer;
        answer.text = reader.list<std::string>();
        answer.tokens = reader.list<TokenIds>();
        answer.finished = reader.number<bool>();
        all.push_back(std::move(answer));
      }
    }
    return all;
  }

  // Rewards that are computed here, a share by each rank.
  static void score_here(
      const ObjectiveSet& objectives,
      const RewardBatch& batch,
      Group& group,
      RewardMemo& memo) {
    if (group.size() == 1) return;
    const auto [begin, end] = rows_of_chunks(
        batch.rows(),
        static_cast<std::size_t>(group.rank()),
        static_cast<std::size_t>(group.size()));
    const RewardBatch own = rows_of(batch, begin, end);
    for (const Reward* reward : objectives.computed_rewards()) {
      std::vector<double>& values = memo.values[reward];
      const auto parts = gather_results(group, [&] {
        BytesWriter writer;
        writer.list(reward->score(own));
        return std::string(writer.bytes());
      });
      for (const std::string& bytes : parts) {
        const auto more = BytesReader(bytes).list<std::vector<double>>();
        values.insert(values.end(), more.begin(), more.end());
      }
    }
  }

  // Answers that an objective gives no reward (`missing: skip`) are left out.
  static Sample without_skipped(Sample sample) {
    const auto& skipped = sample.scores.skipped;
    if (skipped.empty()) return sample;
    std::vector<std::int64_t> kept;
    Column tokens;
    for (std::size_t row = 0; row < sample.tokens.size(); ++row) {
      if (std::binary_search(skipped.begin(), skipped.end(), row)) continue;
      kept.push_back(static_cast<std::int64_t>(row));
      tokens.push_back(sample.tokens[row]);
    }
    fmt::print(
        "{} of {} answers have no reward and are left out\n",
        skipped.size(),
        sample.tokens.size());
    if (kept.empty()) throw_world_error("no answer has a reward");
    const at::Tensor rows = at::tensor(kept, at::kLong);
    sample.scores.raw = sample.scores.raw.index_select(0, rows);
    sample.scores.mapped = sample.scores.mapped.index_select(0, rows);
    sample.tokens = std::move(tokens);
    return sample;
  }

  static void print_distributions(
      const ObjectiveSet& objectives, const Scores& scores) {
    fmt::print(
        "{:<20}{:>9}{:>9}{:>9}{:>9}{:>9}  {:<18}{}\n",
        "objective",
        "mean",
        "5%",
        "50%",
        "95%",
        "max",
        "range now",
        "proposed (5%..95% of the reference, widened by half)");
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      const Column raw = column_of(scores.raw, i);
      const double low = quantile(raw, 0.05);
      const double high = quantile(raw, 0.95);
      const double margin = (high - low) / 4.0;
      const Objective& objective = objectives.objectives()[i];
      const std::string proposed =
          high > low
              ? fmt::format("[{:.3g}, {:.3g}]", low - margin, high + margin)
              : "none: the reference always gets the same";
      fmt::print(
          "{:<20}{:>9.3f}{:>9.3f}{:>9.3f}{:>9.3f}{:>9.3f}  {:<18}{}\n",
          objective.name,
          mean(raw),
          low,
          quantile(raw, 0.5),
          high,
          *std::max_element(raw.begin(), raw.end()),
          fmt::format("[{:g}, {:g}]", objective.low, objective.high),
          proposed);
    }
  }

  // Correlations of each pair of objectives, and of each with the length of the
  // answer: two rewards that pull the length in opposite directions conflict.
  static void print_correlations(
      const ObjectiveSet& objectives, const Sample& sample) {
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      const Column raw = column_of(sample.scores.raw, i);
      const std::string& name = objectives.names()[i];
      for (std::size_t j = i + 1; j < objectives.size(); ++j) {
        const Column other = column_of(sample.scores.raw, j);
        print_correlation(name, objectives.names()[j], correlation(raw, other));
      }
      print_correlation(
          name, "the length in tokens", correlation(raw, sample.tokens));
    }
  }

  static void print_correlation(
      const std::string& first,
      const std::string& second,
      const std::optional<double>& r) {
    fmt::print(
        "correlation of {} and {}: {}\n",
        first,
        second,
        r ? fmt::format("{:+.2f}", *r) : "undefined");
  }

  std::string recipe_;
  std::vector<std::string> overrides_;
  std::size_t prompts_ = 24;
  std::size_t samples_ = 4;
  std::vector<Example> examples_;
};

}  // namespace

std::unique_ptr<Command> make_calibrate_command() {
  return std::make_unique<CalibrateCommand>();
}

}  // namespace moft
