// The functions between two linear maps (activate.h), by the names of Hugging
// Face's configurations.
//
// Thread safety: pure functions.
#pragma once

#include <string>

#include "moft/models/config_keys.h"

namespace moft {

enum class Activation { kGelu, kGeluTanh, kRelu, kTanh };

// The function that `key` names, "gelu" without it. CallerError for others.
Activation read_activation(
    const ConfigKeys& keys,
    const char* key,
    const std::string& otherwise = "gelu");

}  // namespace moft
