// Builds Hugging Face's tensor names of T5 blocks.
#include "moft/models/t5/names.h"

#include <fmt/format.h>

namespace moft {
namespace {

std::string sublayer(bool decoder, std::int64_t block, T5Part part) {
  int number = static_cast<int>(part);
  if (!decoder && part == T5Part::kFeedForward) number = 1;
  return fmt::format(
      "{}.block.{}.layer.{}.", decoder ? "decoder" : "encoder", block, number);
}

const char* module_name(T5Part part) {
  switch (part) {
    case T5Part::kSelfAttention:
      return "SelfAttention.";
    case T5Part::kCrossAttention:
      return "EncDecAttention.";
    case T5Part::kFeedForward:
      return "DenseReluDense.";
  }
  return "";
}

}  // namespace

std::string t5_part_name(bool decoder, std::int64_t block, T5Part part) {
  return sublayer(decoder, block, part) + module_name(part);
}

std::string t5_norm_name(bool decoder, std::int64_t block, T5Part part) {
  return sublayer(decoder, block, part) + "layer_norm.weight";
}

}  // namespace moft
