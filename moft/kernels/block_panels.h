// Panels of a matrix whose weights stay the small whole numbers of their file:
// blocks of 32 inputs of one output share a scale (and, with 4 bits, an
// offset), weight = scale * number + offset, as GGUF's Q8_0, Q4_0 and Q4_1
// have it. Products widen them to float32 on the way, so that the result has
// the bits of a product with the float32 weights at a fifth of the bytes read.
//
// Layout of a panel of `width` outputs: in / 32 blocks, one after the other;
// a block is width scales, width offsets (4 bits only) and, input by input,
// its numbers: width bytes (8 bits, signed), or width / 2 bytes (4 bits) whose
// low halves are the outputs 0 .. width/2 - 1 and whose high halves the rest.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace moft::kernels {

constexpr std::int64_t kBlockInputs = 32;

// Where rows of a matrix [rows, in] are written, one after the other.
struct BlockRows {
  float* scales;         // [rows, in / 32]
  float* offsets;        // the same; not written for 8 bits
  std::int8_t* numbers;  // [rows, in]
};

// Writes rows begin..end. Called from several threads at once.
struct ReadBlocks {
  int bits = 0;  // 4 or 8; 0: the matrix does not come in blocks
  std::function<void(std::int64_t begin, std::int64_t end, BlockRows target)>
      read;
};

struct BlockPanels {
  int bits;
  std::int64_t width;
  std::int64_t in;  // a multiple of 32

  std::int64_t scales_bytes() const { return width * (bits == 4 ? 8 : 4); }
  std::int64_t block_bytes() const {
    return scales_bytes() + kBlockInputs * width * bits / 8;
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
