// llama.cpp's tensor names for a Llama-shaped model, from Hugging Face's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moft {

// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight"; nothing
// for a name that the format has no word for.
std::optional<std::string> llama_gguf_name(std::string_view hugging_face_name);

}  // namespace moft
