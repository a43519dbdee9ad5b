// What the configurations of decoder families have in common.
//
// Errors: CallerError naming the key, its value and what is allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/models/config_keys.h"

namespace moft {

// eos_token_id of config.json or generation_config.json: a number or a list.
std::vector<std::int32_t> read_end_tokens(
    const ConfigKeys& keys, std::int64_t vocabulary);

// Which layers have a sliding window, by layer, as `layer_types` says; none
// without that key.
std::optional<std::vector<bool>> read_windows(
    const ConfigKeys& keys, std::int64_t layers);

// CallerError for weights that are quantised in the directory.
void refuse_quantised(const ConfigKeys& keys);

struct HeadShape {
  std::int64_t width = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
};
// CallerError for heads that rotary grouped-query attention cannot have.
void check_heads(const HeadShape& shape, const std::string& place);

}  // namespace moft
