// Llama-shaped decoders in the table of families: llama, mistral, qwen2, qwen3.
#pragma once

#include "moft/models/families.h"

namespace moft {

ModelFamily llama_family();

// As ModelFamily::gguf_layout (gguf_layout.cpp).
GgufLayout llama_gguf_layout(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft
