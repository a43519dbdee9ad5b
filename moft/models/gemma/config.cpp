// Reads the config.json of Gemma 2 and Gemma 3 text models.
#include "moft/models/gemma/config.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/models/decoder_config.h"

namespace moft {
namespace {

using nlohmann::json;

// Which layers have a window: the list, or the pattern of the family.
void read_layer_types(const ConfigKeys& keys, DecoderConfig& c) {
  c.period = c.query_key_norm ? keys.size_or("sliding_window_pattern", 6) : 2;
  if (const auto windows = read_windows(keys, c.layers)) c.windows = *windows;
}

// All layers of a Gemma 2 turn at one rate.
void read_ropes(const ConfigKeys& keys, DecoderConfig& c) {
  if (!c.query_key_norm) {
    c.rope = rope_from_json(keys, c.context, c.head_size);
    c.local_rope = c.rope;
    return;
  }
  const RopeKeys full{"rope_theta", 1e6, "rope_scaling", "full_attention"};
  const RopeKeys local{
      "rope_local_base_freq", 1e4, nullptr, "sliding_attention"};
  c.rope = rope_from_json(keys, c.context, c.head_size, full);
  c.local_rope = rope_from_json(keys, c.context, c.head_size, local);
}

void refuse_other_computations(const ConfigKeys& keys) {
  const std::string activation =
      keys.text_or("hidden_activation", "gelu_pytorch_tanh");
  if (activation != "gelu_pytorch_tanh") {
    keys.refuse("hidden_activation", "gelu_pytorch_tanh");
  }
  if (keys.flag_or("use_bidirectional_attention", false)) {
    keys.refuse("use_bidirectional_attention", "causal attention");
  }
  refuse_quantised(keys);
}

// The context that full attention is right for.
void end_at_window(const ConfigKeys& keys, DecoderConfig& c) {
  const bool slides =
      c.windows.empty() ? c.period > 1
                        : std::ranges::find(c.windows, true) != c.windows.end();
  if (!slides || keys.has_null("sliding_window")) return;
  const std::int64_t window = keys.size_or("sliding_window", 4096);
  if (window < c.context)
    c.context_note = " (its sliding window; moft computes full attention)";
  c.context = std::min(c.context, window);
}

}  // namespace

DecoderConfig gemma_config_from_json(
    const json& config, const std::string& place) {
  const ConfigKeys keys(config, place);
  const bool gemma3 = keys.text_or("model_type", "") == "gemma3_text";
  DecoderConfig c = read_decoder_config(
      keys,
      {.context = gemma3 ? 131072 : 8192, .kv_heads = 4, .tied_head = true});
  c.family = "gemma";
  if (keys.has_null("num_key_value_heads"))
    keys.refuse("num_key_value_heads", "a given number of key/value heads");
  c.head_size = keys.size_or("head_dim", 256);
  c.query_scale = keys.positive_or("query_pre_attn_scalar", 256);
  c.qkv_bias = c.output_bias = keys.flag_or("attention_bias", false);
  c.query_key_norm = gemma3;
  c.gelu = c.part_norms = c.scaled_input = true;
  c.norm_offset = 1.0;
  check_heads(c, place);
  read_layer_types(keys, c);
  read_ropes(keys, c);
  refuse_other_computations(keys);
  // Absent is not null: Gemma 2 has caps by default.
  const auto cap = [&](const char* key, double otherwise) {
    return keys.has_null(key) ? 0.0 : keys.positive_or(key, otherwise);
  };
  c.logit_cap = cap("final_logit_softcapping", gemma3 ? 0.0 : 30.0);
  constexpr double kAttentionCap = 50.0;
  if (cap("attn_logit_softcapping", gemma3 ? 0.0 : kAttentionCap) > 0) {
    keys.refuse(
        "attn_logit_softcapping",
        "attention without a soft cap, which null turns off",
        kAttentionCap);
  }
  end_at_window(keys, c);
  return c;
}

}  // namespace moft
