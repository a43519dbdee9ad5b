// Reads and writes the config.json of Llama-shaped decoders.
#include "moft/models/llama/config.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/models/decoder_config.h"

namespace moft {
namespace {

using nlohmann::json;

using Keys = ConfigKeys;

// The tokens that a layer of some kind looks back over, 0 for all of them.
std::int64_t sliding_window(const Keys& keys, const std::string& architecture) {
  constexpr const char* kWindow = "sliding_window";
  constexpr std::int64_t kDefault = 4096;
  const std::int64_t layers = keys.size("num_hidden_layers");
  const auto windows = read_windows(keys, layers);
  if (architecture == "mistral") {
    // Absent is not null: transformers' default is a window.
    return keys.has_null(kWindow) ? 0 : keys.size_or(kWindow, kDefault);
  }
  if (!keys.flag_or("use_sliding_window", false)) return 0;
  if (keys.has_null(kWindow)) return 0;
  const bool slides = windows
                          ? std::ranges::find(*windows, true) != windows->end()
                          : layers > keys.size_or("max_window_layers", 28);
  return slides ? keys.size_or(kWindow, kDefault) : 0;
}

void refuse_other_computations(const Keys& keys, const DecoderConfig& c) {
  const std::string activation = keys.text_or("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    keys.refuse("hidden_act", "silu (SwiGLU)");
  }
  if (keys.has("partial_rotary_factor") &&
      keys.number_or("partial_rotary_factor", 1.0) != 1.0) {
    keys.refuse("partial_rotary_factor", "rotary embeddings of whole heads");
  }
  refuse_quantised(keys);
  const std::int64_t window = sliding_window(keys, c.architecture);
  if (window > 0 && window < c.context) {
    throw_caller_error(
        "{}: a sliding_window of {}{} in a context of {} is not supported; "
        "moft computes full causal attention, which is the same up to {} "
        "tokens: set max_position_embeddings to {}, or take a model without a "
        "window (sliding_window: null)",
        keys.place(),
        window,
        keys.has("sliding_window") ? "" : " (the key is missing)",
        c.context,
        window,
        window);
  }
}

DecoderDefaults defaults_of(const std::string& type) {
  if (type == "mistral") return {.context = 131072, .kv_heads = 8};
  if (type == "qwen2" || type == "qwen3")
    return {.context = 32768, .kv_heads = 32};
  return {};
}

}  // namespace

DecoderConfig llama_config_from_json(
    const json& config, const std::string& place) {
  const Keys keys(config, place);
  const std::string type = keys.text_or("model_type", "");
  const bool mistral = type == "mistral";
  const bool qwen2 = type == "qwen2";
  const bool qwen3 = type == "qwen3";
  DecoderConfig c = read_decoder_config(keys, defaults_of(type));
  if (!keys.has("head_dim") && !qwen3 && c.width % c.heads != 0) {
    throw_caller_error(
        "{}: hidden_size {} cannot be divided among {} attention heads; give "
        "head_dim",
        place,
        c.width,
        c.heads);
  }
  c.head_size = keys.size_or("head_dim", qwen3 ? 128 : c.width / c.heads);
  c.output_bias = !qwen2 && !mistral && keys.flag_or("attention_bias", false);
  c.qkv_bias = c.output_bias || qwen2;
  c.feed_forward_bias = type == "llama" && keys.flag_or("mlp_bias", false);
  c.query_key_norm = qwen3;
  check_heads(c, place);
  c.rope = rope_from_json(keys, c.context, c.head_size);
  refuse_other_computations(keys, c);
  if (c.rope.scaling.kind == RopeKind::kDynamic) {
    c.context_note =
        " (dynamic rope scaling is computed inside the original context)";
  }
  return c;
}

json llama_config_to_json(const DecoderConfig& c) {
  const bool qwen2 = c.architecture == "qwen2";
  const bool qwen3 = c.architecture == "qwen3";
  json config = decoder_config_to_json(
      c,
      qwen3   ? "Qwen3ForCausalLM"
      : qwen2 ? "Qwen2ForCausalLM"
              : "LlamaForCausalLM");
  config.update(
      {{"hidden_act", "silu"},
       {"dtype", "float32"},
       {"torch_dtype", "float32"}});
  add_rope_to_json(c.rope, c.context, c.head_size, config);
  if (!qwen2) config["attention_bias"] = c.output_bias;
  if (!qwen2 && !qwen3) config["mlp_bias"] = c.feed_forward_bias;
  return config;
}

}  // namespace moft
