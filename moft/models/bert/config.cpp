// Reads a BERT's config.json.
#include "moft/models/bert/config.h"

#include <map>

#include <nlohmann/json.hpp>

#include "moft/models/config_keys.h"

namespace moft::bert {
namespace {

Activation read_activation(const ConfigKeys& keys) {
  static const std::map<std::string, Activation> kActivations = {
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"relu", Activation::kRelu},
  };
  const auto found = kActivations.find(keys.text_or("hidden_act", "gelu"));
  if (found == kActivations.end())
    keys.refuse("hidden_act", "gelu, gelu_new, gelu_pytorch_tanh and relu");
  return found->second;
}

void refuse_other_computations(const ConfigKeys& keys) {
  if (keys.text_or("model_type", "bert") != "bert")
    keys.refuse("model_type", "bert");
  if (keys.text_or("position_embedding_type", "absolute") != "absolute")
    keys.refuse("position_embedding_type", "absolute positions");
  if (keys.flag_or("is_decoder", false)) keys.refuse("is_decoder", "encoders");
}

}  // namespace

BertConfig parse_config(const nlohmann::json& json, const std::string& where) {
  if (!json.is_object()) {
    throw_caller_error("{}: is not a JSON object", where);
  }
  const ConfigKeys keys(json, where, "BERT encoder");
  refuse_other_computations(keys);
  BertConfig config;
  config.vocab_size = keys.size("vocab_size");
  config.hidden_size = keys.size("hidden_size");
  config.intermediate_size = keys.size("intermediate_size");
  config.layers = keys.size("num_hidden_layers");
  config.heads = keys.size("num_attention_heads");
  config.max_positions = keys.size("max_position_embeddings");
  config.type_vocab_size = keys.size("type_vocab_size");
  config.layer_norm_eps = keys.positive_or("layer_norm_eps", 1e-12);
  config.activation = read_activation(keys);
  if (config.layer_norm_eps > 1)
    keys.refuse("layer_norm_eps", "with an epsilon of at most 1");
  if (config.hidden_size % config.heads != 0) {
    throw_caller_error(
        "{}: hidden_size {} is not a multiple of num_attention_heads {}",
        where,
        config.hidden_size,
        config.heads);
  }
  return config;
}

}  // namespace moft::bert
