// Panels of a matrix whose weights stay the small whole numbers of their file:
// runs of 32 or 16 inputs of one output share a scale (and, in some layouts, an
// offset), weight = scale * number + offset, as GGUF's quantised types have it.
// Products widen them to float32 on the way, so that the result has the bits of
// a product with the float32 weights at a fifth of the bytes read.
//
// Layout of a panel of `width` outputs: in / 32 blocks, one after the other;
// a block is width scales for each run, width offsets where there are such and,
// input by input, its numbers: width bytes (8 bits, signed), or width / 2 bytes
// (4 bits) whose low halves are the outputs 0 .. width/2 - 1 and whose high
// halves the rest.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace moft::kernels {

constexpr std::int64_t kBlockInputs = 32;

// How weights are made of numbers. Products know 4 bits with offsets and runs
// of 32, and 8 bits with either offsets or runs of 16, or neither.
struct BlockLayout {
  int bits = 0;  // 4 or 8; 0: the matrix does not come in blocks
  std::int64_t run = kBlockInputs;  // inputs that share a scale
  bool offsets = false;

  bool operator==(const BlockLayout&) const = default;
};

// Where rows of a matrix [rows, in] are written, one after the other.
struct BlockRows {
  float* scales;         // [rows, in / run]
  float* offsets;        // the same; not written without offsets
  std::int8_t* numbers;  // [rows, in]
};

// Writes rows begin..end. Called from several threads at once.
struct ReadBlocks {
  BlockLayout layout;
  std::function<void(std::int64_t begin, std::int64_t end, BlockRows target)>
      read;
};

struct BlockPanels {
  BlockLayout layout;
  std::int64_t width;
  std::int64_t in;  // a multiple of 32

  std::int64_t runs() const { return kBlockInputs / layout.run; }  // of a block
  std::int64_t scales_bytes() const {
    return 4 * width * (runs() + (layout.offsets ? 1 : 0));
  }
  std::int64_t block_bytes() const {
    return scales_bytes() + kBlockInputs * width * layout.bits / 8;
  }
  std::int64_t panel_bytes() const { return in / kBlockInputs * block_bytes(); }
};

// Fills one panel; outputs from `count` on become zeros.
void pack_block_panel(
    const BlockPanels& layout,
    const BlockRows& rows,
    std::int64_t count,
    std::byte* panel);

// Output `column` of a panel as float32 [in].
void unpack_block_column(
    const BlockPanels& layout,
    const std::byte* panel,
    std::int64_t column,
    float* target);

}  // namespace moft::kernels
