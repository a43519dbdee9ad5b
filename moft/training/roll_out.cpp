// Sampling the completions of a step.
#include "moft/training/roll_out.h"

#include <utility>

#include "moft/generation/expected_steerings.h"
#include "moft/training/stopwatch.h"

namespace moft {
namespace {

GenerateBatch batch_of(const Draw& draw, const RolloutOptions& settings) {
  GenerateBatch batch;
  batch.prompts = draw.prompts;
  batch.steerings = draw.coefficients;
  for (std::size_t r = 0; r < draw.rows(); ++r) {
    const auto p = static_cast<std::int64_t>(draw.prompt_of(r));
    batch.rows.push_back({p, p});
    batch.keys.push_back(
        {settings.seed,
         Purpose::kToken,
         static_cast<std::uint32_t>(draw.step),
         static_cast<std::uint32_t>(draw.row_of_step(r))});
  }
  batch.record_features = true;
  return batch;
}

}  // namespace

Rollout roll_out(
    SteeredPolicy& policy,
    const Draw& draw,
    const RolloutOptions& options,
    StepTimes& times,
    FirstPass* first,
    const OnCompletion& on_completion) {
  const Stopwatch watch(times.rollout);
  GenerateOptions settings;
  settings.max_new_tokens = options.max_new_tokens;
  settings.sampling.temperature = policy.temperature();
  settings.end_tokens = policy.model().info().end_tokens;
  settings.rows_at_once = options.rows_at_once > 0
                              ? options.rows_at_once
                              : static_cast<std::int64_t>(draw.rows());
  GenerateBatch batch = batch_of(draw, options);
  batch.keep_graph = first && first->keep_graph;
  // Scoring works on one steering at a time.
  const ExpectedSteerings expected(
      policy,
      options.steerings > 0 ? options.steerings
                            : std::ssize(draw.coefficients));
  Rollout rollout;
  rollout.texts.resize(draw.rows());
  const OnRow on_row = [&](std::size_t row, const Generation& generation) {
    rollout.texts[row] = policy.text_of(generation);
    if (on_completion) on_completion(row, generation, rollout.texts[row]);
  };
  Generations generations =
      generate(policy.model(), batch, settings, nullptr, nullptr, on_row);
  rollout.rows = std::move(generations.rows);
  rollout.features = std::move(generations.features);
  if (first) first->prompt_graph = std::move(generations.prompt_graph);
  return rollout;
}

}  // namespace moft
