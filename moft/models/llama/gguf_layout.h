// Llama-shaped decoders as GGUF: Llama, Mistral, Qwen2 and Qwen3.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "moft/models/gguf_layout.h"

namespace moft {

// As ModelFamily::gguf_layout. CallerError for rotary scalings that GGUF has no
// keys for.
GgufLayout llama_gguf_layout(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft
