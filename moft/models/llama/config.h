// Shape of a Llama-like decoder: RMSNorm, rotary embeddings, grouped-query
// attention, SwiGLU. Llama, SmolLM2, Mistral, Qwen2/2.5 (biases on q, k, v) and
// Qwen3 (norms on q and k).
//
// Errors: CallerError naming the key for anything that would change the
// computation and is not supported (other rope scalings, sliding windows,
// activations), rather than a silently different model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>

#include "moft/models/llama/rope.h"

namespace moft {

class GgufFile;

struct LlamaConfig {
  std::string architecture;  // "llama", "mistral", "qwen2", "qwen3"
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
  std::int64_t feed_forward = 0;
  std::int64_t context = 0;
  Rope rope;
  double norm_epsilon = 1e-6;
  bool tied_head = false;
  bool qkv_bias = false;
  bool output_bias = false;  // on o (attention_bias of Llama)
  bool feed_forward_bias = false;
  bool query_key_norm = false;
  std::vector<std::int32_t> end_tokens;
};

// `place` begins error messages (the path of config.json).
LlamaConfig llama_config_from_json(
    const nlohmann::json& config, const std::string& place);
LlamaConfig llama_config_from_gguf(const GgufFile& file);
// The config.json that transformers reads back as the same model.
nlohmann::json llama_config_to_json(const LlamaConfig& config);

}  // namespace moft
