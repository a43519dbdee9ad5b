// Shape of a decoder that DecoderModel computes (decoder_model.h), and what the
// families' readers of configurations have in common.
//
// Errors: CallerError naming the key, its value and what is allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/models/config_keys.h"
#include "moft/models/llama/rope.h"

namespace moft {

// Rotary grouped-query attention and a gated unit, each after an RMS norm.
// The defaults are Llama's.
struct DecoderConfig {
  std::string family = "llama";
  std::string architecture;  // "llama", "qwen3", "gemma3_text"
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
  std::int64_t feed_forward = 0;
  std::int64_t context = 0;
  std::string context_note;  // explains the context in an error, or empty
  double norm_epsilon = 1e-6;
  bool tied_head = false;
  bool qkv_bias = false;
  bool output_bias = false;  // on o
  bool feed_forward_bias = false;
  bool query_key_norm = false;
  std::vector<std::int32_t> end_tokens;
  Rope rope;

  // Gemma's.
  bool gelu = false;          // the gate is a tanh GELU, not SiLU
  bool part_norms = false;    // of what attention and gated unit give, too
  double norm_offset = 0.0;   // norms multiply with this + w
  bool scaled_input = false;  // embeddings times the root of the width
  double query_scale = 0.0;   // scores over its root; 0: of the head size
  double logit_cap = 0.0;     // logits become cap tanh(logits / cap); 0: none
  // Which layers are local (have a window): by layer, or all but every
  // `period`-th. Their rotary embeddings are local_rope.
  std::vector<bool> windows;
  std::int64_t period = 1;
  Rope local_rope;

  bool is_local(std::int64_t layer) const {
    return windows.empty() ? (layer + 1) % period != 0
                           : windows.at(static_cast<std::size_t>(layer));
  }
};

// What missing keys mean: the defaults of transformers' class of the family.
struct DecoderDefaults {
  std::int64_t context = 2048;
  std::int64_t kv_heads = 0;  // 0: as many as heads
  bool tied_head = false;
};

// The keys that all families read alike. num_key_value_heads: null means as
// many as heads.
DecoderConfig read_decoder_config(
    const ConfigKeys& keys, const DecoderDefaults& defaults);
// The same keys, written; `model` is transformers' name of the class.
nlohmann::json decoder_config_to_json(
    const DecoderConfig& config, const char* model);

// Which layers have a sliding window, by layer, as `layer_types` says; none
// without that key.
std::optional<std::vector<bool>> read_windows(
    const ConfigKeys& keys, std::int64_t layers);

// CallerError for weights that are quantised in the directory.
void refuse_quantised(const ConfigKeys& keys);

// CallerError for heads that rotary grouped-query attention cannot have.
void check_heads(const DecoderConfig& config, const std::string& place);

}  // namespace moft
