// Reads a BERT's config.json.
#include "moft/models/bert/config.h"

#include <nlohmann/json.hpp>

#include "moft/models/config_keys.h"

namespace moft::bert {
namespace {

void refuse_other_computations(const ConfigKeys& keys) {
  if (keys.text_or("model_type", "bert") != "bert")
    keys.refuse("model_type", "bert");
  if (keys.text_or("position_embedding_type", "absolute") != "absolute")
    keys.refuse("position_embedding_type", "absolute positions");
  if (keys.flag_or("is_decoder", false)) keys.refuse("is_decoder", "encoders");
}

}  // namespace

BertConfig read_shared_keys(
    const ConfigKeys& keys, const std::string& family, double layer_norm_eps) {
  BertConfig config;
  config.family = family;
  config.vocab_size = keys.size("vocab_size");
  config.hidden_size = keys.size("hidden_size");
  config.intermediate_size = keys.size("intermediate_size");
  config.layers = keys.size("num_hidden_layers");
  config.heads = keys.size("num_attention_heads");
  config.max_positions = keys.size("max_position_embeddings");
  config.layer_norm_eps = keys.positive_or("layer_norm_eps", layer_norm_eps);
  config.activation = read_activation(keys, "hidden_act");
  if (config.layer_norm_eps > 1)
    keys.refuse("layer_norm_eps", "with an epsilon of at most 1");
  if (config.hidden_size % config.heads != 0) {
    throw_caller_error(
        "{}: hidden_size {} is not a multiple of num_attention_heads {}",
        keys.place(),
        config.hidden_size,
        config.heads);
  }
  return config;
}

BertConfig parse_config(const nlohmann::json& json, const std::string& where) {
  if (!json.is_object()) {
    throw_caller_error("{}: is not a JSON object", where);
  }
  const ConfigKeys keys(json, where, "BERT encoder");
  refuse_other_computations(keys);
  BertConfig config = read_shared_keys(keys, "bert", 1e-12);
  config.type_vocab_size = keys.size("type_vocab_size");
  return config;
}

}  // namespace moft::bert
