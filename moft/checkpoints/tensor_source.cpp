#include "moft/checkpoints/tensor_source.h"

#include <array>
#include <bit>
#include <cstring>

#include "moft/checkpoints/tensor_type.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

static_assert(
    std::endian::native == std::endian::little,
    "tensor files are little-endian and are read in place");

// IEEE 754 binary16 to binary32, exactly; NaN payloads are kept.
float convert_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {
    // Zero or subnormal: fraction * 2^-24 is exact in float.
    const float size = static_cast<float>(fraction) * 0x1p-24f;
    return sign == 0 ? size : -size;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

const float* half_table() {
  static const auto table = [] {
    auto values = std::make_unique<std::array<float, 65536>>();
    for (std::uint32_t i = 0; i < values->size(); ++i)
      (*values)[i] = convert_half(static_cast<std::uint16_t>(i));
    return values;
  }();
  return table->data();
}

// The mapping promises no alignment, hence memcpy (one load in machine code).
template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

void from_f64(const std::byte* in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(load<double>(in + 8 * i));
}

void from_f16(const std::byte* in, std::span<float> out) {
  const float* table = half_table();
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = table[load<std::uint16_t>(in + 2 * i)];
}

void from_bf16(const std::byte* in, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = std::bit_cast<float>(
        std::uint32_t{load<std::uint16_t>(in + 2 * i)} << 16);
}

// fp16 d, 32 int8 q: x = q d.
void from_q8_0(const std::byte* in, std::span<float> out) {
  const float* table = half_table();
  for (float* x = out.data(); x != out.data() + out.size(); x += 32, in += 34) {
    const float scale = table[load<std::uint16_t>(in)];
    const auto* quants = reinterpret_cast<const std::int8_t*>(in + 2);
    for (int i = 0; i < 32; ++i)
      x[i] = static_cast<float>(quants[i]) * scale;
  }
}

// fp16 d, 16 bytes: low nibbles are elements 0..15; x = (q - 8) d.
void from_q4_0(const std::byte* in, std::span<float> out) {
  const float* table = half_table();
  for (float* x = out.data(); x != out.data() + out.size(); x += 32, in += 18) {
    const float scale = table[load<std::uint16_t>(in)];
    const auto* quants = reinterpret_cast<const std::uint8_t*>(in + 2);
    for (int i = 0; i < 16; ++i) {
      x[i] = static_cast<float>((quants[i] & 15) - 8) * scale;
      x[i + 16] = static_cast<float>((quants[i] >> 4) - 8) * scale;
    }
  }
}

// fp16 d, fp16 m, 16 bytes: low nibbles are elements 0..15; x = q d + m. The
// product is exact in float, so a fused multiply-add gives the same bits.
void from_q4_1(const std::byte* in, std::span<float> out) {
  const float* table = half_table();
  for (float* x = out.data(); x != out.data() + out.size(); x += 32, in += 20) {
    const float scale = table[load<std::uint16_t>(in)];
    const float least = table[load<std::uint16_t>(in + 2)];
    const auto* quants = reinterpret_cast<const std::uint8_t*>(in + 4);
    for (int i = 0; i < 16; ++i) {
      x[i] = static_cast<float>(quants[i] & 15) * scale + least;
      x[i + 16] = static_cast<float>(quants[i] >> 4) * scale + least;
    }
  }
}

}  // namespace

std::int64_t TensorView::element_count() const {
  const auto count = moft::element_count(shape);
  if (!count)
    throw_caller_error("tensor {}: its shape overflows", quote_text(name));
  return *count;
}

void to_float(const TensorView& view, std::span<float> out) {
  const auto bytes = tensor_byte_count(view.type, view.shape);
  if (!bytes || *bytes != view.bytes.size() ||
      out.size() != static_cast<std::size_t>(view.element_count()))
    throw_caller_error(
        "tensor {}: {} bytes of {} do not make the {} floats asked for",
        quote_text(view.name),
        view.bytes.size(),
        tensor_type_info(view.type).name,
        out.size());
  if (out.empty()) return;
  const std::byte* in = view.bytes.data();
  switch (view.type) {
    case TensorType::kF64:
      return from_f64(in, out);
    case TensorType::kF32:
      std::memcpy(out.data(), in, out.size_bytes());
      return;
    case TensorType::kF16:
      return from_f16(in, out);
    case TensorType::kBF16:
      return from_bf16(in, out);
    case TensorType::kQ8_0:
      return from_q8_0(in, out);
    case TensorType::kQ4_0:
      return from_q4_0(in, out);
    case TensorType::kQ4_1:
      return from_q4_1(in, out);
    default:
      throw_caller_error(
          "tensor {}: holds {}, where floating-point numbers are needed",
          quote_text(view.name),
          tensor_type_info(view.type).name);
  }
}

int block_bits(TensorType type) {
  switch (type) {
    case TensorType::kQ8_0:
      return 8;
    case TensorType::kQ4_0:
    case TensorType::kQ4_1:
      return 4;
    default:
      return 0;
  }
}

namespace {

// 16 bytes into 32 numbers, the low halves first. Through arrays of its own,
// which the compiler may take to be apart: one vector operation each.
void split_nibbles(const std::byte* in, std::int8_t* out) {
  std::uint8_t both[16];
  std::uint8_t parts[32];
  std::memcpy(both, in, sizeof(both));
  for (int i = 0; i < 16; ++i)
    parts[i] = both[i] & 15;
  for (int i = 0; i < 16; ++i)
    parts[i + 16] = both[i] >> 4;
  std::memcpy(out, parts, sizeof(parts));
}

}  // namespace

void to_blocks(
    const TensorView& view,
    std::span<float> scales,
    std::span<float> offsets,
    std::span<std::int8_t> numbers) {
  const float* table = half_table();
  const auto block_bytes = tensor_type_info(view.type).block_bytes;
  const std::byte* in = view.bytes.data();
  std::int8_t* number = numbers.data();
  for (std::size_t block = 0; block < scales.size(); ++block) {
    scales[block] = table[load<std::uint16_t>(in)];
    const std::byte* quants = in + (view.type == TensorType::kQ4_1 ? 4 : 2);
    if (view.type == TensorType::kQ8_0) {
      std::memcpy(number, quants, 32);
    } else {
      offsets[block] = view.type == TensorType::kQ4_1
                           ? table[load<std::uint16_t>(in + 2)]
                           : -8.0f * scales[block];
      split_nibbles(quants, number);
    }
    in += block_bytes;
    number += 32;
  }
}

}  // namespace moft
