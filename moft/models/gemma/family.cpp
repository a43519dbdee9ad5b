// How Gemma decoders are read from files and drawn at random.
#include "moft/models/gemma/family.h"

#include "moft/models/decoder_model.h"
#include "moft/models/gemma/config.h"
#include "moft/models/random/initialise.h"

namespace moft {
namespace {

using nlohmann::json;

std::unique_ptr<LanguageModel> make(
    const json& config,
    const std::string& place,
    const FindParameter& find,
    const LoadOptions& options) {
  return std::make_unique<DecoderModel>(
      gemma_config_from_json(config, place), find, options);
}

std::unique_ptr<LanguageModel> load_saved(
    SavedModel& saved, const LoadOptions& options) {
  return load_saved_decoder(
      saved, gemma_config_from_json(saved.config(), saved.place()), options);
}

// A Gemma 3 whose layers all see the whole context.
json random_config(const RandomModelShape& shape) {
  const DecoderConfig made = random_decoder_config(shape, "gemma3_text");
  json config = decoder_config_to_json(made, "Gemma3ForCausalLM");
  config.update(
      {{"query_pre_attn_scalar", shape.head_size},
       {"sliding_window", made.context},
       {"layer_types",
        std::vector<std::string>(
            static_cast<std::size_t>(made.layers), "full_attention")},
       {"rope_theta", 1e6},
       {"rope_local_base_freq", 1e4},
       {"hidden_activation", "gelu_pytorch_tanh"},
       {"attention_bias", false},
       {"initializer_range", 0.02}});
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
