// Sampling the completions of a step, in parts of its prompts.
#include "moft/training/roll_out.h"

#include <algorithm>

#include "moft/training/stopwatch.h"

namespace moft {
namespace {

// Samples the rows of prompts begin .. end - 1.
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
  GenerateBatch request;
  for (std::size_t p = begin; p < end; ++p) {
    const auto place = static_cast<std::int64_t>(p - begin);
    request.prompts.push_back(draw.prompts[p]);
    request.steerings.push_back(draw.coefficients[p]);
    for (std::size_t r = draw.first_row(p); r < draw.first_row(p + 1); ++r) {
      request.rows.push_back({place, place});
      request.keys.push_back(
          {settings.seed,
           Purpose::kToken,
           static_cast<std::uint32_t>(draw.step),
           static_cast<std::uint32_t>(r)});
    }
  }
  options.rows_at_once = std::ssize(request.rows);
  request.record_features = true;
  request.keep_graph = keep_graph;
  return generate(policy.model(), request, options);
}

void append(const Features& more, Features& features) {
  features.first_layer = more.first_layer;
  features.prompts.insert(
      features.prompts.end(), more.prompts.begin(), more.prompts.end());
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
  const std::size_t prompts = draw.prompts.size();
  const std::size_t at_once =
      options.prompts_at_once > 0 ? options.prompts_at_once : prompts;
  const bool keep_graph = first && first->one_part && at_once >= prompts;
  policy.expect_steerings(
      options.steerings > 0 ? options.steerings
                            : static_cast<std::int64_t>(prompts));
  Rollout rollout;
  const auto features = std::make_shared<Features>();
  for (std::size_t begin = 0; begin < prompts; begin += at_once) {
    Generations part = sample(
        policy,
        draw,
        options,
        begin,
        std::min(prompts, begin + at_once),
        keep_graph);
    for (Generation& row : part.rows) {
      rollout.texts.push_back(policy.text_of(row));
      rollout.rows.push_back(std::move(row));
    }
    if (part.features) append(*part.features, *features);
    if (keep_graph) first->prompt_graph = std::move(part.prompt_graph);
  }
  policy.expect_steerings(1);  // scoring works on one at a time
  if (!features->prompts.empty()) rollout.features = features;
  return rollout;
}

}  // namespace moft
