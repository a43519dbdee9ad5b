#include "moft/kernels/block_panels.h"

#include <algorithm>
#include <cstring>

namespace moft::kernels {
namespace {

// numbers [width, 32] of one block -> its bytes, input by input.
void pack_numbers(
    const BlockPanels& layout, const std::int8_t* numbers, std::byte* target) {
  const std::int64_t width = layout.width;
  auto* bytes = reinterpret_cast<std::uint8_t*>(target);
  if (layout.bits == 8) {
    for (std::int64_t k = 0; k < kBlockInputs; ++k) {
      for (std::int64_t c = 0; c < width; ++c)
        bytes[k * width + c] =
            static_cast<std::uint8_t>(numbers[c * kBlockInputs + k]);
    }
    return;
  }
  const std::int64_t half = width / 2;
  for (std::int64_t k = 0; k < kBlockInputs; ++k) {
    for (std::int64_t c = 0; c < half; ++c) {
      const int low = numbers[c * kBlockInputs + k];
      const int high = numbers[(c + half) * kBlockInputs + k];
      bytes[k * half + c] = static_cast<std::uint8_t>(low | high << 4);
    }
  }
}

}  // namespace

void pack_block_panel(
    const BlockPanels& layout,
    const BlockRows& rows,
    std::int64_t count,
    std::byte* panel) {
  constexpr std::int64_t kWidest = 32;
  const std::int64_t blocks = layout.in / kBlockInputs;
  if (count < layout.width)
    std::memset(panel, 0, static_cast<std::size_t>(layout.panel_bytes()));
  std::int8_t numbers[kWidest * kBlockInputs] = {};
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::byte* const target = panel + block * layout.block_bytes();
    auto* const scales = reinterpret_cast<float*>(target);
    for (std::int64_t c = 0; c < count; ++c) {
      scales[c] = rows.scales[c * blocks + block];
      if (layout.bits == 4)
        scales[layout.width + c] = rows.offsets[c * blocks + block];
      std::copy_n(
          rows.numbers + c * layout.in + block * kBlockInputs,
          kBlockInputs,
          numbers + c * kBlockInputs);
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
    if (layout.bits == 8) {
      const auto number =
          static_cast<std::int8_t>(numbers[inside * layout.width + column]);
      target[k] = static_cast<float>(number) * scales[column];
      continue;
    }
    const int both = numbers[inside * half + column % half];
    const int number = column < half ? both & 15 : both >> 4;
    // The product is exact: 4 bits times a scale that was binary16.
    target[k] = static_cast<float>(number) * scales[column] +
                scales[layout.width + column];
  }
}

}  // namespace moft::kernels
