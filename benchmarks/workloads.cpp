// The named workloads of the project, one line of JSON each. compare runs them
// beside the peers' scripts.
//
//   workloads --model FILE [--encoder DIR] [--threads N] [--reps N]
//             [--only generate,steer,rl-step,tokenizer,minilm,load]
//             [--lines FILE] [--precision bfloat16]
//
//   generate   batch 1, 8, 32, plain model. A decoder: prompt 96, 32 and 128
//              new tokens. T5: encoder 256, 64 new tokens
//   steer      16 rows under 1 and under 16 weightings, LoRA on all layers
//   rl-step    one REINFORCE update. A decoder: batch 16, prompt 96, 32 new
//              tokens. T5: batch 32, encoder 256, 48 new tokens.
//              rl-step-lora-upper-half, rl-step-lora, rl-step-full: one of them
//   mixing     64 new tokens for 8 rows: plain model, one weighting mixed in
//              before (full copies), two models run side by side
//   tokenizer  the lines of --lines, one thread
//   minilm     256 of those lines, cut to 64 tokens, batch 64
//   load       model file to a model that can answer
#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "moft/conditioning/row_steering.h"
#include "moft/core/memory.h"
#include "moft/core/random.h"
#include "moft/generation/policy_directory.h"
#include "moft/models/bert/sentence_encoder.h"
#include "moft/rewards/length.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/regex_reward.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/training/online.h"
#include "moft/weightings/weighting_options.h"

#include "benchmarks/measure.h"
#include "benchmarks/shapes.h"

namespace moft::benchmarks {

namespace {

struct Flags {
  std::string model;
  std::string encoder;
  std::string lines;
  std::string precision = "float32";
  bool is_bfloat16() const { return precision == "bfloat16"; }
  int threads = 0;
  int repetitions = 3;
  std::vector<std::string> only = {
      "generate", "steer", "rl-step", "tokenizer", "minilm", "load"};
  std::vector<int> batches = {1, 8, 32};
  std::vector<int> lengths = {32, 128};
};

LoadOptions load_options(const Flags& flags) {
  LoadOptions options;
  if (flags.is_bfloat16()) options.storage = kernels::Storage::kBFloat16;
  return options;
}

std::vector<RowKey> keys_of(std::size_t rows) {
  std::vector<RowKey> keys(rows);
  for (std::size_t r = 0; r < rows; ++r)
    keys[r] = {1, Purpose::kGenerate, 0, static_cast<std::uint32_t>(r)};
  return keys;
}

GenerateBatch generation_batch(
    std::size_t rows,
    const Shape& shape,
    std::int64_t vocabulary,
    const std::vector<Coefficients>& steerings) {
  GenerateBatch batch;
  batch.prompts = random_ids(
      rows, shape.prompt, vocabulary, static_cast<std::uint32_t>(rows));
  if (shape.prompt_ends) {
    for (auto& prompt : batch.prompts)
      prompt.back() = 1;
  }
  batch.steerings = steerings;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto place = static_cast<std::int64_t>(r);
    batch.rows.push_back(
        {place, place % static_cast<std::int64_t>(steerings.size())});
  }
  batch.keys = keys_of(rows);
  return batch;
}

// No end tokens: every row runs to its full length, as the peers' do.
GenerateOptions generate_options(std::int64_t fresh) {
  GenerateOptions options;
  options.max_new_tokens = fresh;
  return options;
}

void run_generation(const Flags& flags, const Roofline& roof) {
  const at::NoGradGuard no_gradient;
  const auto policy = load_policy(flags.model, load_options(flags));
  LanguageModel& model = policy->model();
  const auto cost = cost_of(policy->base(), flags.model, flags.is_bfloat16());
  const Shape shape = shape_of(policy->base(), flags.model);
  const auto plain = policy->coefficients_of(std::nullopt);
  for (const int rows : flags.batches) {
    const auto batch = generation_batch(
        static_cast<std::size_t>(rows),
        shape,
        std::min<std::int64_t>(model.info().vocabulary, 32000),
        {plain});
    for (const int fresh : flags.lengths) {
      const auto timings = measure(flags.repetitions, [&] {
        (void)generate(model, batch, generate_options(fresh));
      });
      report(
          fmt::format(
              "{} moft {} b{} {} new{}",
              shape.label,
              flags.precision,
              rows,
              shape.prompt_text(),
              fresh),
          rows * fresh,
          "tokens",
          timings,
          generation_seconds(
              roof, cost, rows, static_cast<double>(shape.prompt), fresh));
    }
  }
}

std::unique_ptr<SteeredPolicy> conditioned_policy(
    const Flags& flags, SteeredSet set, const std::string& layers) {
  LoadedModel base = load_language_model(flags.model, load_options(flags));
  auto tokenizer = load_base_tokenizer(flags.model, base);
  PolicyDefinition definition;
  definition.objectives = {{"long", 0.0, 1.0}, {"the", 0.0, 1.0}};
  definition.conditioning.steered_set = set;
  definition.conditioning.lora.layers = layers;
  definition.kl_strength = 0.01;
  definition.prompt_template = "{prompt}";
  return std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), definition, 1);
}

void run_steering(const Flags& flags) {
  const at::NoGradGuard no_gradient;
  constexpr std::size_t kRows = 16;
  const auto policy = conditioned_policy(flags, SteeredSet::kLora, "all");
  const Shape shape = shape_of(policy->base(), flags.model);
  for (const std::size_t distinct : {std::size_t{1}, kRows}) {
    std::vector<Coefficients> steerings;
    for (std::size_t i = 0; i < distinct; ++i) {
      const double w =
          (static_cast<double>(i) + 0.5) / static_cast<double>(distinct);
      steerings.emplace_back(0.0, Weighting({w, 1.0 - w}));
    }
    const auto batch = generation_batch(
        kRows, shape, policy->model().info().vocabulary, steerings);
    const auto timings = measure(flags.repetitions, [&] {
      (void)generate(policy->model(), batch, generate_options(32));
    });
    report(
        fmt::format(
            "steer moft lora b{} prompt{} new32 weightings{}",
            kRows,
            shape.prompt,
            distinct),
        kRows * 32,
        "tokens",
        timings,
        0.0);
  }
}

// 8 rows, 64 new tokens: the plain model; full copies under one weighting, new
// each time, so that mixing is counted; and two models run side by side.
void run_mixing(const Flags& flags) {
  const at::NoGradGuard no_gradient;
  constexpr std::size_t kRows = 8;
  constexpr int kFresh = 64;
  const auto policy = conditioned_policy(flags, SteeredSet::kFull, "all");
  const Shape shape = shape_of(policy->base(), flags.model);
  LanguageModel& model = policy->model();
  int weightings = 0;
  const auto run_with = [&](const std::vector<Coefficients>& steerings) {
    const auto batch = generation_batch(
        kRows,
        shape,
        std::min<std::int64_t>(model.info().vocabulary, 32000),
        steerings);
    (void)generate(model, batch, generate_options(kFresh));
  };
  const auto next_weighting = [&] {
    const double w = 1.0 / (2.0 + ++weightings);
    return Coefficients(0.1, Weighting({w, 1.0 - w}));
  };
  const auto print = [&](const char* kind, const Timings& timings) {
    const auto name = fmt::format(
        "mixing {} moft {} {} b{} {} new{}",
        shape.label,
        kind,
        flags.precision,
        kRows,
        shape.prompt_text(),
        kFresh);
    report(name, kRows * kFresh, "tokens", timings, 0.0);
  };
  const auto plain = Coefficients::frozen_reference();
  const auto weighting = next_weighting();
  // Alternating, because other work on the machine comes and goes.
  Timings times[3];
  for (int i = 0; i < flags.repetitions; ++i) {
    const std::function<void()> bodies[] = {
        [&] { run_with({plain}); },
        [&] { run_with({next_weighting()}); },
        [&] {
          run_with({plain});
          run_with({weighting});
        }};
    for (int kind = 0; kind < 3; ++kind) {
      if (i == 0) bodies[kind]();
      measure_once(bodies[kind], times[kind]);
    }
  }
  print("plain", times[0]);
  print("one-weighting", times[1]);
  print("two-models", times[2]);
}

// Texts of exactly `length` tokens: words that are one token each.
std::vector<Example> prompts_of(
    const Tokenizer& tokenizer, std::size_t count, std::size_t length) {
  const std::size_t ends = tokenizer.encode("").size();
  std::vector<std::string> words;
  for (TokenId id = 300; id < 12000 && words.size() < 2000; ++id) {
    const std::string word = tokenizer.token_bytes(id);
    const bool letters =
        word.size() > 3 && word[0] == ' ' &&
        std::all_of(word.begin() + 1, word.end(), [](unsigned char c) {
          return c >= 'a' && c <= 'z';
        });
    if (letters && tokenizer.encode(word).size() == ends + 1)
      words.push_back(word);
  }
  std::vector<Example> examples(count);
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream stream(1, Purpose::kTest, 0, static_cast<std::uint32_t>(i));
    std::string& text = examples[i].fields["prompt"];
    for (std::size_t t = 0; t < length; ++t)
      text += words[stream.below(words.size())];
    examples[i].id = std::to_string(i);
  }
  return examples;
}

struct StepKind {
  const char* name;
  SteeredSet set;
  const char* layers;
  WeightingPer weighting_per;
  double backward;  // work of the backward pass in forward passes
};

constexpr StepKind kStepKinds[] = {
    {"lora-upper-half",
     SteeredSet::kLora,
     "upper_half",
     WeightingPer::kPrompt,
     1},
    {"lora", SteeredSet::kLora, "all", WeightingPer::kPrompt, 1},
    {"full", SteeredSet::kFull, "all", WeightingPer::kBatch, 2},
};

void run_step(const Flags& flags, const Roofline& roof, const StepKind& kind) {
  const auto policy = conditioned_policy(flags, kind.set, kind.layers);
  const Shape shape = shape_of(policy->base(), flags.model);
  const std::size_t rows = shape.step_rows;
  Objectives options;
  options["long"] = {
      "length",
      LengthOptions{
          .unit = LengthUnit::kWords,
          .full_at = 30,
          .zero_at = 0,
          .gate = std::nullopt}};
  options["the"] = {"regex", RegexOptions{.pattern = "the"}};
  const ObjectiveSet objectives = make_objectives(options, {});
  const auto examples = prompts_of(
      policy->tokenizer(), rows, shape.prompt - (shape.prompt_ends ? 1 : 0));
  TrainingOptions training;
  training.prompts_per_step = static_cast<std::int64_t>(rows);
  training.samples_per_prompt = 1;
  training.baseline = Baseline::kBatchMean;
  training.weighting_per = kind.weighting_per;
  training.max_new_tokens = shape.step_fresh;
  training.optimizer.learning_rate = 1e-6;
  // What the peer's script uses, for the one kind it has.
  if (kind.set == SteeredSet::kFull) {
    training.optimizer.kind = OptimizerKind::kAdafactor;
    training.gradient_accumulation = shape.full_parts;
  }
  OnlineTrainer trainer(
      {policy.get(), &objectives, &examples, 512, true},
      training,
      make_weighting_sampler({}, {"long", "the"}, "weightings"));
  std::vector<StepTimes> times;
  double tokens = 0.0;
  const auto timings = measure(flags.repetitions, [&] {
    const StepResult result = trainer.step();
    times.push_back(result.times);
    tokens = result.metrics.at("completions/mean_length") *
             static_cast<double>(rows);
  });
  const auto phase = [&](double StepTimes::*part) {
    std::vector<double> values;
    for (std::size_t i = 1; i < times.size(); ++i)
      values.push_back(times[i].*part);
    return median(values);
  };
  const ModelCost cost =
      cost_of(policy->base(), flags.model, flags.is_bfloat16());
  const double samples = static_cast<double>(rows);
  const double prompt = static_cast<double>(shape.prompt);
  const double pass = cost.prompt_flops(samples * prompt) +
                      cost.fresh_flops(samples * shape.step_fresh);
  report(
      fmt::format(
          "rl-step {} moft {} {} b{} src{} new{}",
          shape.label,
          kind.name,
          flags.precision,
          rows,
          shape.prompt,
          shape.step_fresh),
      samples,
      "samples",
      timings,
      generation_seconds(roof, cost, samples, prompt, shape.step_fresh) +
          roof.seconds((2 + kind.backward) * pass, 0.0),
      {{"phases",
        {{"rollout", phase(&StepTimes::rollout)},
         {"rewards", phase(&StepTimes::rewards)},
         {"reference", phase(&StepTimes::reference)},
         {"policy", phase(&StepTimes::policy)},
         {"optimizer", phase(&StepTimes::optimizer)}}},
       {"tokens", tokens},
       {"peak_gb", static_cast<double>(peak_memory()) / 1e9}});
}

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(line);
  return lines;
}

void run_tokenizer(const Flags& flags) {
  const LoadedModel base = load_language_model(flags.model);
  const auto tokenizer = load_base_tokenizer(flags.model, base);
  const auto lines = read_lines(flags.lines);
  double tokens = 0.0;
  const auto timings = measure(flags.repetitions, [&] {
    tokens = 0.0;
    for (const std::string& line : lines)
      tokens += static_cast<double>(tokenizer->encode(line).size());
  });
  report(
      fmt::format("tokenizer moft byte-bpe {} lines", lines.size()),
      tokens,
      "tokens",
      timings,
      0.0);
}

void run_encoder(const Flags& flags, const Roofline& roof) {
  const at::NoGradGuard no_gradient;
  const auto encoder = bert::load_sentence_encoder(flags.encoder);
  const auto tokenizer = load_tokenizer(flags.encoder);
  std::vector<std::vector<std::int32_t>> texts;
  for (const std::string& line : read_lines(flags.lines)) {
    auto ids = tokenizer->encode(line);
    if (ids.size() < 64) continue;
    ids[63] = ids.back();
    ids.resize(64);
    texts.push_back(std::move(ids));
    if (texts.size() == 256) break;
  }
  const auto timings = measure(flags.repetitions, [&] {
    for (std::size_t i = 0; i < texts.size(); i += 64) {
      const std::size_t count = std::min<std::size_t>(64, texts.size() - i);
      (void)encoder.embed(std::span(texts).subspan(i, count));
    }
  });
  // 6 layers of 12 width^2 parameters.
  const double width = static_cast<double>(encoder.dimension());
  const double flops =
      2.0 * 6 * 12 * width * width * 64 * static_cast<double>(texts.size());
  report(
      fmt::format("minilm moft float32 {} texts of 64 tokens", texts.size()),
      static_cast<double>(texts.size()),
      "texts",
      timings,
      roof.seconds(flops, 0.0));
}

void run_load(const Flags& flags) {
  const auto timings = measure(flags.repetitions, [&] {
    (void)load_policy(flags.model, load_options(flags));
  });
  report("load moft", 1, "loads", timings, 0.0);
}

void run(const Flags& flags) {
  keep_freed_memory();  // as the program itself does
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  const std::set<std::string> only(flags.only.begin(), flags.only.end());
  const Roofline roof = measure_roofline(flags.is_bfloat16());
  fmt::print(
      "{}\n",
      nlohmann::json{
          {"name", "roofline"},
          {"gb_per_s", roof.bytes_per_second / 1e9},
          {"gflop_per_s", roof.flops_per_second / 1e9},
          {"threads", at::get_num_threads()}}
          .dump());
  if (only.contains("generate")) run_generation(flags, roof);
  if (only.contains("steer")) run_steering(flags);
  if (only.contains("mixing")) run_mixing(flags);
  for (const StepKind& kind : kStepKinds) {
    const bool all = only.contains("rl-step");
    if (all || only.contains(std::string("rl-step-") + kind.name))
      run_step(flags, roof, kind);
  }
  if (only.contains("tokenizer") && !flags.lines.empty()) run_tokenizer(flags);
  if (only.contains("minilm") && !flags.encoder.empty() && !flags.lines.empty())
    run_encoder(flags, roof);
  if (only.contains("load")) run_load(flags);
}

}  // namespace

}  // namespace moft::benchmarks

int main(int argc, char** argv) {
  moft::benchmarks::Flags flags;
  CLI::App app("The named workloads of moft's benchmarks");
  app.add_option("--model", flags.model, "language model")->required();
  app.add_option("--encoder", flags.encoder, "sentence encoder");
  app.add_option("--lines", flags.lines, "text, one document per line");
  app.add_option("--precision", flags.precision, "of the language model")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  app.add_option("--threads", flags.threads, "0: libtorch's choice");
  app.add_option("--reps", flags.repetitions, "timed repetitions");
  app.add_option("--only", flags.only, "which workloads; rl-step-full one")
      ->delimiter(',');
  app.add_option("--batches", flags.batches, "of generate")->delimiter(',');
  app.add_option("--new", flags.lengths, "of generate")->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  try {
    moft::benchmarks::run(flags);
  } catch (const std::exception& error) {
    fmt::print(stderr, "workloads: {}\n", error.what());
    return 1;
  }
  return 0;
}
