// The shape of a ModernBERT, from its config.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/models/activation.h"
#include "moft/models/llama/rope_table.h"

namespace moft::modernbert {

struct ModernBertConfig {
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t inner = 0;
  std::int64_t heads = 0;
  std::int64_t context = 0;
  double norm_epsilon = 1e-5;
  bool norm_bias = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  Activation activation = Activation::kGelu;
  std::vector<bool> local;  // of each layer
  std::int64_t reach = 64;  // tokens to each side in a local layer
  Rope global_rope;
  Rope local_rope;

  std::int64_t head_size() const { return width / heads; }
};

// CallerError naming the key that asks for another computation.
ModernBertConfig parse_config(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft::modernbert
