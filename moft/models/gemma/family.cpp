// How Gemma decoders are read from files and drawn at random.
#include "moft/models/gemma/family.h"

#include "moft/models/gemma/model.h"
#include "moft/models/random/initialise.h"

namespace moft {
namespace {

using nlohmann::json;

std::unique_ptr<LanguageModel> make(
    const json& config,
    const std::string& place,
    const FindParameter& find,
    const LoadOptions& options) {
  return std::make_unique<GemmaModel>(
      gemma_config_from_json(config, place), find, options);
}

std::unique_ptr<LanguageModel> load_saved(
    SavedModel& saved, const LoadOptions& options) {
  return load_saved_decoder<GemmaModel>(
      saved, gemma_config_from_json(saved.config(), saved.place()), options);
}

// A Gemma 3 whose layers all see the whole context.
json random_config(const RandomModelShape& shape) {
  const RandomModelOptions& options = shape.options;
  json config = {
      {"architectures", {"Gemma3ForCausalLM"}},
      {"model_type", "gemma3_text"},
      {"vocab_size", shape.vocabulary},
      {"hidden_size", options.width},
      {"num_hidden_layers", options.layers},
      {"num_attention_heads", options.heads},
      {"num_key_value_heads", options.key_value_heads.value_or(options.heads)},
      {"head_dim", shape.head_size},
      {"query_pre_attn_scalar", shape.head_size},
      {"intermediate_size", options.feed_forward},
      {"max_position_embeddings", options.context},
      {"sliding_window", options.context},
      {"layer_types",
       std::vector<std::string>(
           static_cast<std::size_t>(options.layers), "full_attention")},
      {"rope_theta", 1e6},
      {"rope_local_base_freq", 1e4},
      {"hidden_activation", "gelu_pytorch_tanh"},
      {"rms_norm_eps", 1e-6},
      {"attention_bias", false},
      {"initializer_range", 0.02},
      {"tie_word_embeddings", options.tied_head},
      {"eos_token_id", shape.tokens.end}};
  if (shape.tokens.beginning >= 0)
    config["bos_token_id"] = shape.tokens.beginning;
  if (shape.tokens.padding >= 0) config["pad_token_id"] = shape.tokens.padding;
  return config;
}

InitialSpread spread(const json&, const std::string& name) {
  // A norm multiplies with 1 + w.
  const bool zero =
      name.find("norm.") != std::string::npos || name.ends_with(".bias");
  return {zero ? 0.0 : 0.02, 0.0};
}

}  // namespace

ModelFamily gemma_family() {
  return {
      "gemma",
      {"gemma2", "gemma3_text"},
      /*gguf_architectures=*/{},
      make,
      load_saved,
      /*load_gguf=*/nullptr,
      {check_random_decoder, random_config, spread}};
}

}  // namespace moft
