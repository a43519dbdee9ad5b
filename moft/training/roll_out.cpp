// Sampling the completions of a step, in parts of its rows.
#include "moft/training/roll_out.h"

#include <algorithm>

#include "moft/training/stopwatch.h"

namespace moft {
namespace {

// Samples rows begin .. end - 1.
Generations sample(
    SteeredPolicy& policy,
    const Draw& draw,
    const RolloutOptions& settings,
    std::size_t begin,
    std::size_t end,
    bool keep_graph) {
  GenerateOptions options;
  options.max_new_tokens = settings.max_new_tokens;
  options.sampling.temperature = policy.temperature();
  options.end_tokens = policy.model().info().end_tokens;
  options.rows_at_once = static_cast<std::int64_t>(end - begin);
  GenerateBatch request;
  for (std::size_t r = begin; r < end; ++r) {
    const std::size_t p = draw.prompt_of(r);
    if (r == begin || r == draw.first_row(p)) {
      request.prompts.push_back(draw.prompts[p]);
      request.steerings.push_back(draw.coefficients[p]);
    }
    const std::int64_t place = std::ssize(request.prompts) - 1;
    request.rows.push_back({place, place});
    request.keys.push_back(
        {settings.seed,
         Purpose::kToken,
         static_cast<std::uint32_t>(draw.step),
         static_cast<std::uint32_t>(r)});
  }
  request.record_features = true;
  request.keep_graph = keep_graph;
  return generate(policy.model(), request, options);
}

// `again`: the first prompt of `more` is the last of `features`.
void append(const Features& more, bool again, Features& features) {
  features.first_layer = more.first_layer;
  features.prompts.insert(
      features.prompts.end(),
      more.prompts.begin() + (again ? 1 : 0),
      more.prompts.end());
  features.completions.insert(
      features.completions.end(),
      more.completions.begin(),
      more.completions.end());
}

}  // namespace

Rollout roll_out(
    SteeredPolicy& policy,
    const Draw& draw,
    const RolloutOptions& options,
    StepTimes& times,
    FirstPass* first) {
  const Stopwatch watch(times.rollout);
  const std::size_t rows = draw.rows();
  const std::size_t at_once =
      options.rows_at_once > 0 ? static_cast<std::size_t>(options.rows_at_once)
                               : rows;
  const bool keep_graph = first && first->one_part && at_once >= rows;
  // Scoring works on one steering at a time again.
  policy.expect_steerings(
      options.steerings > 0 ? options.steerings
                            : std::ssize(draw.coefficients));
  Rollout rollout;
  const auto features = std::make_shared<Features>();
  for (std::size_t begin = 0; begin < rows; begin += at_once) {
    Generations part = sample(
        policy,
        draw,
        options,
        begin,
        std::min(rows, begin + at_once),
        keep_graph);
    for (Generation& row : part.rows) {
      rollout.texts.push_back(policy.text_of(row));
      rollout.rows.push_back(std::move(row));
    }
    const bool again = begin > draw.first_row(draw.prompt_of(begin));
    if (part.features) append(*part.features, again, *features);
    if (keep_graph) first->prompt_graph = std::move(part.prompt_graph);
  }
  policy.expect_steerings(1);
  if (!features->prompts.empty()) rollout.features = features;
  return rollout;
}

}  // namespace moft
