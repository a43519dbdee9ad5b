// Rounds floats to narrower types.
#include "moft/checkpoints/encode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr std::size_t kBlock = 32;  // elements of Q8_0
constexpr std::uint16_t kHalfInfinity = 0x7c00;

std::uint16_t to_half(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return sign | kHalfInfinity;  // from 65520 on
  if (magnitude < 0x38800000) {  // below 2^-14: a multiple of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24F;
    return static_cast<std::uint16_t>(
        sign | static_cast<std::uint16_t>(std::nearbyint(scaled)));
  }
  const std::uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<std::uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

std::uint16_t to_bfloat(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <typename T>
void store(std::byte*& to, T value) {
  std::memcpy(to, &value, sizeof(T));
  to += sizeof(T);
}

void store_block(std::byte*& to, std::span<const float> block) {
  float largest = 0;
  for (const float number : block)
    largest = std::max(largest, std::abs(number));
  const float scale = largest / 127.0F;
  const float inverse = scale == 0 ? 0 : 1.0F / scale;
  store(to, to_half(scale));
  for (const float number : block)
    store(to, static_cast<std::int8_t>(std::round(number * inverse)));
}

[[noreturn]] void refuse(
    const std::string& name, float number, TensorType type) {
  throw_caller_error(
      "tensor '{}' holds {}, which {} cannot hold; export another --dtype",
      name,
      number,
      tensor_type_info(type).name);
}

}  // namespace

void encode_floats(
    std::span<const float> numbers,
    TensorType type,
    const std::string& name,
    std::vector<std::byte>& bytes) {
  const auto& info = tensor_type_info(type);
  bytes.resize(numbers.size() / info.block_elements * info.block_bytes);
  const float limit = type == TensorType::kF16    ? 65520.0F
                      : type == TensorType::kQ8_0 ? 65504.0F * 127.0F
                      : type == TensorType::kBF16 ? 0x1.ffp127F
                                                  : INFINITY;
  for (const float number : numbers)
    if (!(std::abs(number) < limit)) refuse(name, number, type);
  std::byte* to = bytes.data();
  switch (type) {
    case TensorType::kF16:
      for (const float number : numbers)
        store(to, to_half(number));
      return;
    case TensorType::kBF16:
      for (const float number : numbers)
        store(to, to_bfloat(number));
      return;
    case TensorType::kQ8_0:
      for (std::size_t at = 0; at + kBlock <= numbers.size(); at += kBlock)
        store_block(to, numbers.subspan(at, kBlock));
      return;
    default:
      std::memcpy(to, numbers.data(), numbers.size_bytes());
  }
}

}  // namespace moft
