// Shape of a Gemma decoder (Gemma 3's text models; Gemma 2 without the soft cap
// on attention): embeddings times width^1/2, RMS norms times 1 + w before and
// after every part of a layer, gated GELU, grouped-query attention with
// queries times query_scale^-1/2, and rotary embeddings that local layers turn
// at a rate of their own. Reference: transformers' Gemma2Model,
// Gemma3TextModel.
//
// Local layers look back over a window of tokens. Inside it that is full
// attention, which is what moft computes: the context ends at the window.
//
// Errors: CallerError naming the key for anything that would change the
// computation and is not supported.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "moft/models/llama/rope.h"

namespace moft {

struct GemmaConfig {
  std::string architecture;  // "gemma2", "gemma3_text"
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
  std::int64_t feed_forward = 0;
  std::int64_t context = 0;  // at most the window
  bool ends_at_window = false;
  double norm_epsilon = 1e-6;
  double query_scale = 0.0;  // query_pre_attn_scalar
  double logit_cap = 0.0;    // logits become cap tanh(logits / cap); 0: none
  bool query_key_norm = false;
  bool attention_bias = false;
  bool tied_head = true;
  // Which layers have a window: by layer, or all but every `period`-th.
  std::vector<bool> windows;
  std::int64_t period = 2;
  Rope rope;  // of the other layers
  Rope local_rope;
  std::vector<std::int32_t> end_tokens;

  bool is_local(std::int64_t layer) const {
    return windows.empty() ? (layer + 1) % period != 0
                           : windows.at(static_cast<std::size_t>(layer));
  }
};

// `place` begins error messages (the path of config.json).
GemmaConfig gemma_config_from_json(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft
