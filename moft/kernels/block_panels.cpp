// Quantised blocks, interleaved for products.
#include "moft/kernels/block_panels.h"

#include <cstring>

namespace moft::kernels {
namespace {

constexpr std::int64_t kWidest = 32;

// bytes [8, 32] -> columns of 8: target[k * stride + c] = bytes[c][k], eight by
// eight inside 64-bit words (little-endian, as the files are).
void transpose_eight(
    const std::uint8_t* bytes, std::uint8_t* target, std::int64_t stride) {
  for (std::int64_t start = 0; start < kBlockInputs; start += 8) {
    std::uint64_t rows[8];
    for (std::int64_t c = 0; c < 8; ++c)
      std::memcpy(&rows[c], bytes + c * kBlockInputs + start, 8);
    // Swaps blocks of 1, 2, then 4 bytes across the diagonal.
    const auto swap = [&rows](int apart, std::uint64_t low) {
      for (int c = 0; c < 8; ++c) {
        if ((c & apart) != 0) continue;
        const int shift = 8 * apart;
        const std::uint64_t a = rows[c], b = rows[c + apart];
        rows[c] = (a & low) | ((b & low) << shift);
        rows[c + apart] = ((a >> shift) & low) | (b & ~low);
      }
    };
    swap(1, 0x00ff00ff00ff00ffULL);
    swap(2, 0x0000ffff0000ffffULL);
    swap(4, 0x00000000ffffffffULL);
    for (std::int64_t k = 0; k < 8; ++k)
      std::memcpy(target + (start + k) * stride, &rows[k], 8);
  }
}

// bytes [columns, 32] -> target [32, columns].
void transpose(
    const std::uint8_t* bytes, std::int64_t columns, std::uint8_t* target) {
  std::int64_t c = 0;
  for (; c + 8 <= columns; c += 8)
    transpose_eight(bytes + c * kBlockInputs, target + c, columns);
  for (; c < columns; ++c) {
    for (std::int64_t k = 0; k < kBlockInputs; ++k)
      target[k * columns + c] = bytes[c * kBlockInputs + k];
  }
}

// numbers [width, 32] of one block -> its bytes, input by input.
void pack_numbers(
    const BlockPanels& layout, const std::uint8_t* numbers, std::byte* target) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(target);
  if (layout.layout.bits == 8) return transpose(numbers, layout.width, bytes);
  const std::int64_t half = layout.width / 2;
  std::uint8_t both[kWidest / 2 * kBlockInputs];
  for (std::int64_t i = 0; i < half * kBlockInputs; ++i) {
    const int high = numbers[i + half * kBlockInputs];
    both[i] = static_cast<std::uint8_t>(numbers[i] | high << 4);
  }
  transpose(both, half, bytes);
}

}  // namespace

void pack_block_panel(
    const BlockPanels& layout,
    const BlockRows& rows,
    std::int64_t count,
    std::byte* panel) {
  const std::int64_t blocks = layout.in / kBlockInputs;
  const std::int64_t runs = layout.runs();
  if (count < layout.width)
    std::memset(panel, 0, static_cast<std::size_t>(layout.panel_bytes()));
  std::uint8_t numbers[kWidest * kBlockInputs] = {};
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::byte* const target = panel + block * layout.block_bytes();
    auto* const scales = reinterpret_cast<float*>(target);
    for (std::int64_t c = 0; c < count; ++c) {
      const std::int64_t first = (c * blocks + block) * runs;
      for (std::int64_t run = 0; run < runs; ++run)
        scales[run * layout.width + c] = rows.scales[first + run];
      if (layout.layout.offsets)
        scales[runs * layout.width + c] = rows.offsets[first];
      std::memcpy(
          numbers + c * kBlockInputs,
          rows.numbers + c * layout.in + block * kBlockInputs,
          kBlockInputs);
    }
    pack_numbers(layout, numbers, target + layout.scales_bytes());
  }
}

void unpack_block_column(
    const BlockPanels& layout,
    const std::byte* panel,
    std::int64_t column,
    float* target) {
  const std::int64_t half = layout.width / 2;
  for (std::int64_t k = 0; k < layout.in; ++k) {
    const auto* block = panel + k / kBlockInputs * layout.block_bytes();
    const auto* scales = reinterpret_cast<const float*>(block);
    const auto* numbers =
        reinterpret_cast<const std::uint8_t*>(block + layout.scales_bytes());
    const std::int64_t inside = k % kBlockInputs;
    const std::int64_t place = inside / layout.layout.run * layout.width;
    int number = 0;
    if (layout.layout.bits == 8) {
      number =
          static_cast<std::int8_t>(numbers[inside * layout.width + column]);
    } else {
      const int both = numbers[inside * half + column % half];
      number = column < half ? both & 15 : both >> 4;
    }
    // The product is exact: few bits times a scale of few bits.
    target[k] = static_cast<float>(number) * scales[place + column];
    if (layout.layout.offsets) target[k] += scales[layout.width + column];
  }
}

}  // namespace moft::kernels
