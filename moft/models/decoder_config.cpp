// Keys that decoder families read and write the same way.
#include "moft/models/decoder_config.h"

#include "moft/core/errors.h"

namespace moft {

DecoderConfig read_decoder_config(
    const ConfigKeys& keys, const DecoderDefaults& defaults) {
  DecoderConfig c;
  c.architecture = keys.text_or("model_type", "");
  c.vocabulary = keys.size("vocab_size");
  c.width = keys.size("hidden_size");
  c.layers = keys.size("num_hidden_layers");
  c.heads = keys.size("num_attention_heads");
  constexpr const char* kKvHeads = "num_key_value_heads";
  const bool as_heads = keys.has_null(kKvHeads) || defaults.kv_heads == 0;
  c.kv_heads = keys.size_or(kKvHeads, as_heads ? c.heads : defaults.kv_heads);
  c.feed_forward = keys.size("intermediate_size");
  c.context = keys.size_or("max_position_embeddings", defaults.context);
  c.norm_epsilon = keys.number_or("rms_norm_eps", 1e-6);
  c.tied_head = keys.flag_or("tie_word_embeddings", defaults.tied_head);
  c.end_tokens = keys.end_tokens(c.vocabulary);
  return c;
}

nlohmann::json decoder_config_to_json(
    const DecoderConfig& c, const char* model) {
  nlohmann::json config = {
      {"model_type", c.architecture},
      {"architectures", {model}},
      {"vocab_size", c.vocabulary},
      {"hidden_size", c.width},
      {"num_hidden_layers", c.layers},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_size},
      {"intermediate_size", c.feed_forward},
      {"max_position_embeddings", c.context},
      {"rms_norm_eps", c.norm_epsilon},
      {"tie_word_embeddings", c.tied_head}};
  if (c.end_tokens.size() == 1) config["eos_token_id"] = c.end_tokens[0];
  if (c.end_tokens.size() > 1) config["eos_token_id"] = c.end_tokens;
  return config;
}

std::optional<std::vector<bool>> read_windows(
    const ConfigKeys& keys, std::int64_t layers) {
  constexpr const char* kTypes = "layer_types";
  if (!keys.has(kTypes)) return std::nullopt;
  const nlohmann::json& types = keys.at(kTypes);
  if (!types.is_array() || std::ssize(types) != layers) {
    throw_caller_error(
        "{}: {} must list the kind of each of the {} layers",
        keys.place(),
        kTypes,
        layers);
  }
  std::vector<bool> windows;
  for (const nlohmann::json& type : types) {
    windows.push_back(type == "sliding_attention");
    if (!windows.back() && type != "full_attention") {
      keys.refuse(kTypes, "sliding_attention and full_attention");
    }
  }
  return windows;
}

void refuse_quantised(const ConfigKeys& keys) {
  if (!keys.has("quantization_config")) return;
  throw_caller_error(
      "{}: quantization_config says that the weights are quantised, which moft "
      "reads from GGUF files only; take the unquantised model or its GGUF",
      keys.place());
}

void check_heads(const DecoderConfig& c, const std::string& place) {
  if (c.head_size < 1) {
    throw_caller_error(
        "{}: {} attention heads are too many for a width of {}",
        place,
        c.heads,
        c.width);
  }
  if (c.heads % c.kv_heads != 0) {
    throw_caller_error(
        "{}: {} attention heads cannot share {} key/value heads evenly",
        place,
        c.heads,
        c.kv_heads);
  }
  if (c.head_size % 2 != 0) {
    throw_caller_error(
        "{}: head size {} is odd; rotary embeddings need an even one",
        place,
        c.head_size);
  }
}

}  // namespace moft
