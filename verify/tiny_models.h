// Randomly initialised language models of either family, a few thousand
// parameters each, built in memory: what exact tasks train.
//
// Llama-shaped: two heads, one key/value head, SwiGLU, own output head. T5:
// as v1.1 (gated GELU, own output head), `layers` blocks in encoder and in
// decoder. Matrices are drawn with deviation 1 / sqrt(inputs) (T5's queries
// with another 1 / sqrt(head size), since its attention does not scale), norms
// are ones. The 0.02 of make_random_model would leave models of this width
// almost blind to their prompts.
//
// Errors: CallerError for a width below 8 or not a multiple of 4.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "moft/models/load.h"

namespace moft::exact {

enum class ModelFamily { kLlama, kT5 };
std::string family_name(ModelFamily family);  // "llama", "t5"

struct TinyModelOptions {
  ModelFamily family = ModelFamily::kLlama;
  std::int64_t vocabulary = 6;
  std::int32_t end_token = 0;  // T5: also what its decoder starts from
  std::int64_t context = 256;
  std::int64_t width = 16;
  std::int64_t layers = 2;
  std::uint64_t seed = 1;
};

LoadedModel make_tiny_model(const TinyModelOptions& options);

}  // namespace moft::exact
