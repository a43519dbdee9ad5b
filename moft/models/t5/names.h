// Hugging Face's tensor names of a T5 model.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace moft {

// One embedding table serves both stacks; files hold it under one or more of
// these names.
inline constexpr std::array<const char*, 3> kT5EmbeddingNames = {
    "shared.weight",
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight"};

// The parts of a block, in the order of their `layer` numbers; an encoder's
// block has no cross-attention.
enum class T5Part { kSelfAttention, kCrossAttention, kFeedForward };

// "decoder.block.3.layer.1.EncDecAttention."
std::string t5_part_name(bool decoder, std::int64_t block, T5Part part);
// "decoder.block.3.layer.1.layer_norm.weight"
std::string t5_norm_name(bool decoder, std::int64_t block, T5Part part);

}  // namespace moft
