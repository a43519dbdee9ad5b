// Reads the config.json of a T5 model.
#include "moft/models/t5/config.h"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/models/config_keys.h"

namespace moft {
namespace {

using nlohmann::json;

T5Activation activation_named(const std::string& name, const ConfigKeys& keys) {
  if (name == "relu") return T5Activation::kRelu;
  if (name == "gelu_new") return T5Activation::kGelu;
  if (name == "silu") return T5Activation::kSilu;
  throw_caller_error(
      "{}: the activation '{}' is not supported; moft computes relu, gelu_new "
      "and silu, plain or gated",
      keys.place(),
      name);
}

// feed_forward_proj says "relu" or "gated-gelu", where gelu means its tanh
// form; the older dense_act_fn and is_gated_act have the last word.
void read_feed_forward(const ConfigKeys& keys, T5Config& c) {
  std::string name = keys.text_or("feed_forward_proj", "relu");
  constexpr std::string_view kGated = "gated-";
  c.gated = name.starts_with(kGated);
  if (c.gated) name = name.substr(kGated.size());
  if (c.gated && name == "gelu") name = "gelu_new";
  c.gated = keys.flag_or("is_gated_act", c.gated);
  c.activation = activation_named(keys.text_or("dense_act_fn", name), keys);
}

void check_buckets(const T5Config& c, const std::string& place) {
  // The encoder halves them by direction, then by near and far.
  if (c.buckets < 4 || c.buckets % 2 != 0 || c.buckets > 65536) {
    throw_caller_error(
        "{}: relative_attention_num_buckets is {}; give an even number from 4 "
        "to 65536",
        place,
        c.buckets);
  }
  if (c.max_distance <= c.buckets / 2) {
    throw_caller_error(
        "{}: relative_attention_max_distance is {}; it must be above half of "
        "the {} buckets",
        place,
        c.max_distance,
        c.buckets);
  }
}

}  // namespace

T5Config t5_config_from_json(const json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "T5 model");
  T5Config c;
  c.end_tokens = {1};
  c.vocabulary = keys.size("vocab_size");
  c.width = keys.size("d_model");
  c.encoder_layers = keys.size("num_layers");
  c.decoder_layers = keys.size_or("num_decoder_layers", c.encoder_layers);
  c.heads = keys.size("num_heads");
  c.head_size = keys.size("d_kv");
  c.feed_forward = keys.size("d_ff");
  c.buckets = keys.size_or("relative_attention_num_buckets", 32);
  c.max_distance = keys.size_or("relative_attention_max_distance", 128);
  c.norm_epsilon = keys.positive_or("layer_norm_epsilon", 1e-6);
  c.tied_head = keys.flag_or("tie_word_embeddings", true);
  read_feed_forward(keys, c);
  constexpr const char* kStart = "decoder_start_token_id";
  const char* start = keys.has(kStart) ? kStart : "pad_token_id";
  if (keys.has(start))
    c.start_token = keys.token(keys.at(start), start, c.vocabulary);
  if (keys.has("eos_token_id")) c.end_tokens = keys.end_tokens(c.vocabulary);
  check_buckets(c, place);
  return c;
}

}  // namespace moft
