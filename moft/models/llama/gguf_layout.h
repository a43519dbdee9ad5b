// Llama-shaped decoders as GGUF: Llama, Mistral, Qwen2 and Qwen3.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "moft/models/gguf_layout.h"

namespace moft {

// llama.cpp's name of a tensor, from Hugging Face's:
// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight"; nothing
// for a name that the format has no word for.
std::optional<std::string> llama_gguf_name(std::string_view name);

// As ModelFamily::gguf_layout. CallerError for rotary scalings that GGUF has no
// keys for.
GgufLayout llama_gguf_layout(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft
