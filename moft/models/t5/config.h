// Shape of a T5 encoder-decoder (Raffel et al., arXiv 1910.10683): RMSNorm
// before every block, relative position biases, attention without scaling,
// no biases in linear maps. v1.0 (ReLU, tied head whose input is scaled by
// width^-1/2), v1.1 and FLAN (gated GELU, own head), UL2's gated SiLU.
//
// Errors: CallerError naming the key for anything that would change the
// computation and is not supported.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace moft {

enum class T5Activation { kRelu, kGelu, kSilu };  // kGelu: the tanh form

struct T5Config {
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t encoder_layers = 0;
  std::int64_t decoder_layers = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t feed_forward = 0;
  std::int64_t buckets = 32;        // of relative positions
  std::int64_t max_distance = 128;  // further ones share the last bucket
  double norm_epsilon = 1e-6;
  T5Activation activation = T5Activation::kRelu;
  bool gated = false;
  bool tied_head = true;
  std::int32_t start_token = 0;  // what the decoder reads first
  std::vector<std::int32_t> end_tokens;
};

// `place` begins error messages (the path of config.json).
T5Config t5_config_from_json(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft
