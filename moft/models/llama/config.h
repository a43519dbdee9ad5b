// Configurations of Llama-like decoders: RMSNorm, rotary embeddings,
// grouped-query attention, SwiGLU. Llama, SmolLM2, Mistral, Qwen2/2.5 (biases
// on q, k, v) and Qwen3 (norms on q and k).
//
// Errors: CallerError naming the key for anything that would change the
// computation and is not supported (other rope scalings, sliding windows,
// activations), rather than a silently different model.
#pragma once

#include <string>

#include "moft/models/decoder_config.h"

namespace moft {

class GgufFile;

// `place` begins error messages (the path of config.json).
DecoderConfig llama_config_from_json(
    const nlohmann::json& config, const std::string& place);
DecoderConfig llama_config_from_gguf(const GgufFile& file);
// The config.json that transformers reads back as the same model.
nlohmann::json llama_config_to_json(const DecoderConfig& config);

}  // namespace moft
