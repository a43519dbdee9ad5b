// Configurations of Gemma decoders (Gemma 3's text models; Gemma 2 without the
// soft cap on attention): embeddings times width^1/2, RMS norms times 1 + w
// before and after every part of a layer, gated GELU, grouped-query attention
// with queries times query_scale^-1/2, and rotary embeddings that local layers
// turn at a rate of their own. Reference: transformers' Gemma2Model,
// Gemma3TextModel.
//
// Local layers look back over a window of tokens. Inside it that is full
// attention, which is what moft computes: the context ends at the window.
//
// Errors: CallerError naming the key for anything that would change the
// computation and is not supported.
#pragma once

#include <string>

#include "moft/models/decoder_config.h"

namespace moft {

// `place` begins error messages (the path of config.json).
DecoderConfig gemma_config_from_json(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft
