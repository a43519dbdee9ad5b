// A language model with random weights: its family's standard initialisation.
//
//   t5     normal with Mesh TensorFlow's spreads (Raffel et al., arXiv
//          1910.10683; the same as transformers' with initializer_factor 1):
//          embedding and an untied head 1, q (width head_size)^-1/2, k, v, wi
//          and relative biases width^-1/2, o (heads head_size)^-1/2, wo
//          feed_forward^-1/2; norms 1
//   llama  normal with spread 0.02 (transformers' initializer_range); norms 1,
//          biases 0
//   gemma  the same, norms 0 (they multiply with 1 + w); a Gemma 3 whose
//          layers all see the whole context
//
// Each row of a matrix has a random stream of its own, (seed, kInitialise,
// tensor, row), so the weights do not depend on threads or order of reading.
//
// Errors: CallerError for shapes that the family does not compute and for
// tokenizers without the special tokens that it needs.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "moft/models/decoder_config.h"
#include "moft/models/load.h"
#include "moft/models/random/options.h"

namespace moft {

// The config.json of the model, as transformers reads it.
nlohmann::json random_model_config(
    const RandomModelOptions& options, const RandomModelTokens& tokens);

// RandomInitialisation::check of decoders with rotary embeddings.
void check_random_decoder(
    const RandomModelOptions& options, const std::string& path);
// Their shape; what the options leave open is the family's.
DecoderConfig random_decoder_config(
    const RandomModelShape& shape, const std::string& architecture);

// The model that `config` describes (random_model_config's or any other
// config.json of a family that moft runs). Has no weight files.
LoadedModel make_random_model(
    const nlohmann::json& config,
    std::uint64_t seed,
    const LoadOptions& options = {});

}  // namespace moft
