// Counting what the layers of a model keep.
#include "moft/training/step_costs.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace moft {
namespace {

constexpr std::int64_t kFloat = 4;

// The first layer whose computation is differentiated.
std::int64_t first_trained_layer(
    const ModelShape& s, const ConditioningOptions& options) {
  if (options.steered_set != SteeredSet::kLora) return 0;
  return parse_layers(options.lora.layers, s.layers, "conditioning.lora.layers")
      .first;
}

}  // namespace

ModelShape shape_of(const SequenceModel& model) {
  const Steerable& steerable = model.steerable();
  ModelShape s;
  s.parameters = model.info().parameters;
  s.vocabulary = model.info().vocabulary;
  s.width = model.info().width;
  s.scores_per_token = model.info().scores_per_token;
  s.scores_per_pair = model.info().scores_per_pair;
  s.layers = steerable.layers;
  if (steerable.stacks.size() > 1) s.encoder_layers = steerable.stacks[0];
  s.gated = false;
  for (const SteerableLinear& entry : steerable.linears) {
    if (entry.kind == "q") s.query_width = entry.linear->out();
    if (entry.kind == "k") s.key_width = entry.linear->out();
    if (entry.kind == "qkv")
      s.query_width = s.key_width = entry.linear->out() / 3;
    if (entry.kind == "up") s.feed_forward = entry.linear->out();
    if (entry.kind == "gate") s.gated = true;
    if (entry.kind == "head")
      s.tied_head = &entry.linear->weight() == steerable.parameters[0].get();
  }
  return s;
}

StepCosts step_costs(
    const ModelShape& s,
    const ConditioningOptions& conditioning,
    KlEstimator estimator) {
  const std::int64_t first = first_trained_layer(s, conditioning);
  const std::int64_t logits = s.vocabulary * kFloat;
  // Two norms with what enters and leaves them, q and what attention gives,
  // k and v, and the feed-forward layer's inner states.
  const std::int64_t kept = (6 * s.width + 2 * s.query_width + 2 * s.key_width +
                             (s.gated ? 3 : 2) * s.feed_forward) *
                            kFloat;
  // A norm with what enters and leaves it; q and what attention gives, each as
  // it is and padded to the prompt with most tokens (models/t5/scoring.cpp).
  const std::int64_t cross = (3 * s.width + 4 * s.query_width) * kFloat;
  const std::int64_t keys_values = 2 * s.key_width * kFloat;
  const bool encodes = s.encoder_layers > 0;
  const std::int64_t decoder = s.layers - s.encoder_layers;
  const std::int64_t trained_encoder =
      std::max<std::int64_t>(0, s.encoder_layers - first);
  const std::int64_t trained_decoder = std::min(decoder, s.layers - first);
  StepCosts costs;
  costs.prompt_token = encodes ? trained_encoder * kept + decoder * keys_values
                               : trained_decoder * kept;
  costs.new_token = trained_decoder * (kept + (encodes ? cross : 0)) +
                    (differentiates_kl(estimator) ? 8 : 3) * logits;
  costs.encodes = encodes;
  if (encodes) {
    costs.graph_token = costs.prompt_token;
    costs.padded_token = decoder * keys_values;
  }
  costs.decoded_token = decoder * keys_values;
  costs.decoded_row = 2 * logits;
  costs.feature_token = s.width * kFloat;
  return costs;
}

StepCosts costs_of_texts(const ModelShape& shape) {
  ConditioningOptions all_trained;
  all_trained.steered_set = SteeredSet::kNone;
  const StepCosts all = step_costs(shape, all_trained, KlEstimator::kNone);
  StepCosts costs;
  costs.prompt_token = all.prompt_token + shape.scores_per_token * kFloat;
  costs.prompt_pair = shape.scores_per_pair * kFloat;
  costs.padded_token = all.padded_token;
  costs.new_token = all.new_token;
  return costs;
}

std::string bytes_as_text(std::int64_t bytes) {
  double value = static_cast<double>(bytes) / 1e6;
  const char* unit = "MB";
  if (value >= 1000.0) {
    value /= 1000.0;
    unit = "GB";
  }
  if (value >= 10.0) return fmt::format("{:.0f} {}", std::ceil(value), unit);
  return fmt::format("{:.1f} {}", std::ceil(10.0 * value) / 10.0, unit);
}

}  // namespace moft
