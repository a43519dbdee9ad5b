#include "moft/kernels/block_panels.h"

#include <vector>

#include <gtest/gtest.h>

#include "moft/core/random.h"
#include "moft/kernels/packed_matrix.h"

#include "tests/kernels/support.h"

namespace moft::kernels {
namespace {

// A matrix in blocks with scales and offsets of few bits, as binary16 has.
struct Blocks {
  BlockLayout layout;
  std::int64_t out;
  std::int64_t in;
  std::vector<float> scales;
  std::vector<float> offsets;
  std::vector<std::int8_t> numbers;

  Blocks(const BlockLayout& layout_, std::int64_t out_, std::int64_t in_)
      : layout(layout_), out(out_), in(in_) {
    RandomStream stream(3, Purpose::kTest, 0, static_cast<std::uint32_t>(out));
    const bool four = layout.bits == 4;
    for (std::int64_t i = 0; i < out * in; ++i) {
      const auto number = static_cast<int>(stream.below(four ? 16 : 256));
      numbers.push_back(static_cast<std::int8_t>(four ? number : number - 128));
      if (i % layout.run != 0) continue;
      scales.push_back(static_cast<float>(stream.below(2048)) / 8192.0f);
      offsets.push_back(-static_cast<float>(stream.below(2048)) / 1024.0f);
    }
  }

  float weight(std::int64_t row, std::int64_t k) const {
    const auto i = static_cast<std::size_t>(row * in + k);
    const auto run = i / static_cast<std::size_t>(layout.run);
    const float product = static_cast<float>(numbers[i]) * scales[run];
    return layout.offsets ? product + offsets[run] : product;
  }

  at::Tensor floats() const {
    auto result = at::empty({out, in}, at::kFloat);
    float* target = result.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < out * in; ++i)
      target[i] = weight(i / in, i % in);
    return result;
  }

  RowSource source() const {
    const auto read_floats =
        [this](std::int64_t begin, std::int64_t end, float* target) {
          for (auto i = begin * in; i < end * in; ++i)
            *target++ = weight(i / in, i % in);
        };
    const auto read_blocks =
        [this](std::int64_t begin, std::int64_t end, BlockRows target) {
          const auto runs = in / layout.run;
          std::copy(
              scales.begin() + begin * runs,
              scales.begin() + end * runs,
              target.scales);
          if (layout.offsets) {
            std::copy(
                offsets.begin() + begin * runs,
                offsets.begin() + end * runs,
                target.offsets);
          }
          std::copy(
              numbers.begin() + begin * in,
              numbers.begin() + end * in,
              target.numbers);
        };
    return {read_floats, {layout, read_blocks}};
  }
};

class BlockPanelsTest : public testing::TestWithParam<BlockLayout> {
 protected:
  // Partial panels, one block, several slabs with uneven parts.
  const std::vector<std::pair<std::int64_t, std::int64_t>> shapes = {
      {1, 32}, {16, 64}, {40, 96}, {97, 1120}, {130, 1536}};
};

TEST_P(BlockPanelsTest, UnpackAndRowsGiveTheWeightsBack) {
  for (const auto& [out, in] : shapes) {
    const Blocks blocks(GetParam(), out, in);
    const PackedMatrix packed(out, in, blocks.source());
    EXPECT_TRUE(at::equal(packed.unpack(), blocks.floats()));
    const auto ids = at::tensor({out - 1, std::int64_t{0}, out / 2});
    EXPECT_TRUE(
        at::equal(packed.rows(ids), blocks.floats().index_select(0, ids)));
  }
}

TEST_P(BlockPanelsTest, ProductsHaveTheBitsOfFloat32Weights) {
  for (const auto& [out, in] : shapes) {
    const Blocks blocks(GetParam(), out, in);
    const PackedMatrix packed(out, in, blocks.source());
    const PackedMatrix plain(blocks.floats());
    const auto bias = numbers({out}, 4);
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 12, 13, 40, 230}) {
      const auto x = numbers({rows, in}, 3);
      EXPECT_TRUE(
          at::equal(multiply(x, packed, bias), multiply(x, plain, bias)))
          << out << " x " << in << ", " << rows << " rows";
    }
  }
}

TEST_P(BlockPanelsTest, TakesAFractionOfTheBytes) {
  const Blocks blocks(GetParam(), 64, 96);
  const PackedMatrix packed(64, 96, blocks.source());
  // Per block of 32: 32 or 16 bytes, and 4 for each scale and offset.
  const BlockLayout& layout = GetParam();
  const std::int64_t singles = 32 / layout.run + (layout.offsets ? 1 : 0);
  EXPECT_EQ(packed.bytes(), 64 * 96 / 32 * (4 * layout.bits + 4 * singles));
}

TEST_P(BlockPanelsTest, BFloat16IsRoundedFromTheWeights) {
  const Blocks blocks(GetParam(), 40, 96);
  const PackedMatrix packed(40, 96, blocks.source(), Storage::kBFloat16);
  EXPECT_EQ(packed.storage(), Storage::kBFloat16);
  EXPECT_TRUE(at::equal(
      packed.unpack(), blocks.floats().to(at::kBFloat16).to(at::kFloat)));
}

INSTANTIATE_TEST_SUITE_P(
    Layouts,
    BlockPanelsTest,
    testing::Values(
        BlockLayout{4, 32, true},
        BlockLayout{8, 32, false},
        BlockLayout{8, 32, true},
        BlockLayout{8, 16, false}));

}  // namespace
}  // namespace moft::kernels
