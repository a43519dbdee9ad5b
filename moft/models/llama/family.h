// Llama-shaped decoders in the table of families: llama, mistral, qwen2, qwen3.
#pragma once

#include "moft/models/families.h"

namespace moft {

ModelFamily llama_family();

}  // namespace moft
