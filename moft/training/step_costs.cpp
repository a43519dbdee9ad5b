// Counting what the layers of a model keep.
#include "moft/training/step_costs.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace moft {
namespace {

constexpr std::int64_t kFloat = 4;

// Matrices of a decoder layer: q and o, k and v, the feed-forward ones.
std::int64_t attention_parameters(const ModelShape& s) {
  return 2 * s.width * (s.query_width + s.key_width);
}

std::int64_t feed_forward_parameters(const ModelShape& s) {
  return (s.gated ? 3 : 2) * s.width * s.feed_forward;
}

// The first layer whose computation is differentiated.
std::int64_t first_trained_layer(
    const ModelShape& s, const ConditioningOptions& options) {
  if (options.steered_set != SteeredSet::kLora) return 0;
  return parse_layers(options.lora.layers, s.layers, "conditioning.lora.layers")
      .first;
}

}  // namespace

ModelShape shape_of(const LlamaConfig& config) {
  ModelShape s;
  s.vocabulary = config.vocabulary;
  s.width = config.width;
  s.layers = config.layers;
  s.query_width = config.heads * config.head_size;
  s.key_width = config.kv_heads * config.head_size;
  s.feed_forward = config.feed_forward;
  s.tied_head = config.tied_head;
  const std::int64_t norms =
      2 * s.width + (config.query_key_norm ? 2 * config.head_size : 0);
  const std::int64_t biases =
      (config.qkv_bias ? s.query_width + 2 * s.key_width : 0) +
      (config.output_bias ? s.width : 0) +
      (config.feed_forward_bias ? 2 * s.feed_forward + s.width : 0);
  s.parameters = s.layers * (attention_parameters(s) +
                             feed_forward_parameters(s) + norms + biases) +
                 s.width + (s.tied_head ? 1 : 2) * s.vocabulary * s.width;
  return s;
}

ModelShape shape_of(const T5Config& config) {
  ModelShape s;
  s.vocabulary = config.vocabulary;
  s.width = config.width;
  s.layers = config.encoder_layers + config.decoder_layers;
  s.encoder_layers = config.encoder_layers;
  s.query_width = config.heads * config.head_size;
  s.key_width = s.query_width;
  s.feed_forward = config.feed_forward;
  s.gated = config.gated;
  s.tied_head = config.tied_head;
  const std::int64_t attention = attention_parameters(s) + s.width;
  const std::int64_t feed_forward = feed_forward_parameters(s) + s.width;
  // A decoder layer attends twice; each stack has its relative positions and a
  // last norm.
  s.parameters = config.encoder_layers * (attention + feed_forward) +
                 config.decoder_layers * (2 * attention + feed_forward) +
                 2 * (config.buckets * config.heads + s.width) +
                 (s.tied_head ? 1 : 2) * s.vocabulary * s.width;
  return s;
}

ModelShape shape_of(const LoadedModel& model) {
  return model.model->info().family == "t5"
             ? shape_of(t5_config_from_json(model.config, "config.json"))
             : shape_of(llama_config_from_json(model.config, "config.json"));
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
  const std::int64_t cross = (3 * s.width + 2 * s.query_width) * kFloat;
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
  costs.decoded_token = decoder * keys_values;
  costs.decoded_row = 2 * logits;
  costs.feature_token = s.width * kFloat;
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
