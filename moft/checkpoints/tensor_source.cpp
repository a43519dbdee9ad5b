// Tensor views as floats.
#include "moft/checkpoints/tensor_source.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "moft/checkpoints/blocks.h"
#include "moft/checkpoints/half.h"
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

// Blocks of 256 and of 5 bits, by way of their parts. The product is exact in
// float, so a fused multiply-add gives the same bits.
void from_blocks(const TensorView& view, std::span<float> out) {
  const BlockForm form = block_form(view.type);
  const auto& info = tensor_type_info(view.type);
  std::array<float, 16> scales{}, offsets{};
  std::array<std::int8_t, 256> numbers{};
  const std::size_t size = info.block_elements;
  const auto run = static_cast<std::size_t>(form.run);
  TensorView block{view.name, view.type, {info.block_elements}, {}};
  for (std::size_t at = 0; at < out.size(); at += size) {
    block.bytes = view.bytes.subspan(at / size * info.block_bytes);
    to_blocks(
        block,
        std::span(scales).first(size / run),
        std::span(offsets).first(size / run),
        std::span(numbers).first(size));
    for (std::size_t i = 0; i < size; ++i) {
      const float product = static_cast<float>(numbers[i]) * scales[i / run];
      out[at + i] = form.offsets ? product + offsets[i / run] : product;
    }
  }
}

// The first of `count` numbers, `stride` bytes apart, whose bits under `mask`
// are all set; -1 without one.
template <typename Bits>
std::int64_t find_masked(
    const std::byte* in, std::size_t count, std::size_t stride, Bits mask) {
  constexpr std::size_t kStep = 1024;
  for (std::size_t begin = 0; begin < count; begin += kStep) {
    const std::size_t end = std::min(count, begin + kStep);
    bool found = false;
    for (std::size_t i = begin; i < end; ++i)
      found |= (load<Bits>(in + i * stride) & mask) == mask;
    for (std::size_t i = begin; found && i < end; ++i)
      if ((load<Bits>(in + i * stride) & mask) == mask)
        return static_cast<std::int64_t>(i);
  }
  return -1;
}

// Byte offsets of a block's half-precision numbers.
std::vector<std::size_t> half_places(TensorType type) {
  switch (type) {
    case TensorType::kQ8_0:
    case TensorType::kQ4_0:
    case TensorType::kQ5_0:
      return {0};
    case TensorType::kQ4_1:
    case TensorType::kQ5_1:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K:
      return {0, 2};
    case TensorType::kQ6_K:
      return {208};
    default:
      return {};
  }
}

constexpr std::uint16_t kHalfMask = 0x7c00;

std::int64_t find_bad_block(const TensorView& view) {
  const auto& info = tensor_type_info(view.type);
  const std::size_t blocks = view.bytes.size() / info.block_bytes;
  std::int64_t first = -1;
  for (const std::size_t place : half_places(view.type)) {
    const std::int64_t block = find_masked<std::uint16_t>(
        view.bytes.data() + place, blocks, info.block_bytes, kHalfMask);
    if (block >= 0 && (first < 0 || block < first)) first = block;
  }
  return first < 0 ? first : first * info.block_elements;
}

std::int64_t find_bad_double(const TensorView& view) {
  for (std::size_t i = 0; i < view.bytes.size() / 8; ++i) {
    const auto value = load<double>(view.bytes.data() + 8 * i);
    if (!std::isfinite(static_cast<float>(value)))
      return static_cast<std::int64_t>(i);
  }
  return -1;
}

}  // namespace

const float* half_table() {
  static const auto table = [] {
    auto values = std::make_unique<std::array<float, 65536>>();
    for (std::uint32_t i = 0; i < values->size(); ++i)
      (*values)[i] = convert_half(static_cast<std::uint16_t>(i));
    return values;
  }();
  return table->data();
}

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
    case TensorType::kQ5_0:
    case TensorType::kQ5_1:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K:
    case TensorType::kQ6_K:
      return from_blocks(view, out);
    default:
      throw_caller_error(
          "tensor {}: holds {}, where floating-point numbers are needed",
          quote_text(view.name),
          tensor_type_info(view.type).name);
  }
}

std::int64_t find_not_finite(const TensorView& view) {
  const std::byte* in = view.bytes.data();
  switch (view.type) {
    case TensorType::kF64:
      return find_bad_double(view);
    case TensorType::kF32:
      return find_masked<std::uint32_t>(
          in, view.bytes.size() / 4, 4, 0x7f800000);
    case TensorType::kF16:
      return find_masked(in, view.bytes.size() / 2, 2, kHalfMask);
    case TensorType::kBF16:
      return find_masked<std::uint16_t>(in, view.bytes.size() / 2, 2, 0x7f80);
    default:
      return find_bad_block(view);
  }
}

}  // namespace moft
