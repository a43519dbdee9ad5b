// Reads a ModernBERT's config.json.
#include "moft/models/modernbert/config.h"

#include "moft/models/config_keys.h"
#include "moft/models/decoder_config.h"

namespace moft::modernbert {

ModernBertConfig parse_config(
    const nlohmann::json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "ModernBERT encoder");
  ModernBertConfig c;
  c.vocabulary = keys.size("vocab_size");
  c.width = keys.size("hidden_size");
  c.inner = keys.size("intermediate_size");
  c.heads = keys.size("num_attention_heads");
  c.context = keys.size("max_position_embeddings");
  c.norm_epsilon = keys.positive_or("norm_eps", 1e-5);
  c.norm_bias = keys.flag_or("norm_bias", false);
  c.attention_bias = keys.flag_or("attention_bias", false);
  c.mlp_bias = keys.flag_or("mlp_bias", false);
  c.activation = read_activation(keys, "hidden_activation");
  if (c.width % c.heads != 0 || c.head_size() % 2 != 0)
    keys.refuse("num_attention_heads", "heads of one even size");
  const std::int64_t layers = keys.size("num_hidden_layers");
  if (const auto windows = read_windows(keys, layers)) {
    c.local = *windows;
  } else {
    const std::int64_t every = keys.size_or("global_attn_every_n_layers", 3);
    for (std::int64_t i = 0; i < layers; ++i)
      c.local.push_back(i % every != 0);
  }
  // Half of the window lies to each side.
  c.reach = keys.size_or("local_attention", 128) / 2;
  const RopeKeys full{
      "global_rope_theta", 160000.0, "rope_scaling", "full_attention"};
  const RopeKeys local{
      "local_rope_theta", 10000.0, nullptr, "sliding_attention"};
  c.global_rope = rope_from_json(keys, c.context, c.head_size(), full);
  c.local_rope = rope_from_json(keys, c.context, c.head_size(), local);
  if (keys.has_null("local_rope_theta"))
    c.local_rope.theta = c.global_rope.theta;
  return c;
}

}  // namespace moft::modernbert
