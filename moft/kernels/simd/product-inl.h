// Matrix product with packed panels: register tiles of M rows by P panels.
#pragma once

#include "moft/kernels/simd/table.h"
#include "moft/kernels/simd/vector-inl.h"

namespace moft::kernels::simd {
namespace {

constexpr int kPanel = 2 * kLanes;
// A slab of at most this many inputs of one panel stays in a near cache while
// all rows pass. Partial sums wait in the result as floats, which changes no
// bit of the chain.
constexpr std::int64_t kSlab = 768;
// Rows that pass over all panels together.
constexpr std::int64_t kChunk = 16 * kTileRows;

// Blocks of block_panels.h, as this instruction set's panels hold them. widen()
// gives input k of the block for all outputs of the panel.
constexpr int kBlockInputs = 32;

struct Block4 {
  float scales[kPanel];
  float offsets[kPanel];
  std::uint8_t numbers[kBlockInputs][kLanes];
};

struct Block8 {
  float scales[kPanel];
  std::int8_t numbers[kBlockInputs][kPanel];
};

struct Block8Offsets {
  float scales[kPanel];
  float offsets[kPanel];
  std::int8_t numbers[kBlockInputs][kPanel];
};

struct Block8Halves {
  float scales[2][kPanel];
  std::int8_t numbers[kBlockInputs][kPanel];
};

MOFT_INLINE void widen(const Block4& block, int k, Vec* weight) {
  const IntVec both = load_integers(block.numbers[k]);
  weight[0] =
      fma(to_floats(both & 15), load(block.scales), load(block.offsets));
  weight[1] =
      fma(to_floats(both >> 4),
          load(block.scales + kLanes),
          load(block.offsets + kLanes));
}

MOFT_INLINE void widen(const Block8& block, int k, Vec* weight) {
  for (int v = 0; v < 2; ++v) {
    weight[v] = to_floats(load_integers(block.numbers[k] + v * kLanes)) *
                load(block.scales + v * kLanes);
  }
}

MOFT_INLINE void widen(const Block8Offsets& block, int k, Vec* weight) {
  for (int v = 0; v < 2; ++v) {
    weight[v] =
        fma(to_floats(load_integers(block.numbers[k] + v * kLanes)),
            load(block.scales + v * kLanes),
            load(block.offsets + v * kLanes));
  }
}

MOFT_INLINE void widen(const Block8Halves& block, int k, Vec* weight) {
  const float* scales = block.scales[2 * k / kBlockInputs];
  for (int v = 0; v < 2; ++v) {
    weight[v] = to_floats(load_integers(block.numbers[k] + v * kLanes)) *
                load(scales + v * kLanes);
  }
}

template <typename Weight>
constexpr bool kBlocked = false;
template <>
constexpr bool kBlocked<Block4> = true;
template <>
constexpr bool kBlocked<Block8> = true;
template <>
constexpr bool kBlocked<Block8Offsets> = true;
template <>
constexpr bool kBlocked<Block8Halves> = true;

// Elements of a weight's type in one step of inputs of a panel; a multiple of
// 32 inputs where they come in blocks.
template <typename Weight>
constexpr std::int64_t elements(std::int64_t inputs) {
  return kBlocked<Weight> ? inputs / kBlockInputs : inputs * kPanel;
}

// What a product with many rows reads: floats, or pairs as they are.
template <typename Weight>
struct OperandOf {
  using Type = float;
};
template <>
struct OperandOf<Pair> {
  using Type = Pair;
};
template <typename Weight>
using Operand = typename OperandOf<Weight>::Type;

struct Tile {
  const float* x;
  std::int64_t x_stride;
  std::int64_t count;
  std::int64_t panel_stride;  // in elements of the weight's type
  const float* start;         // what the chains start from, row by row
  std::int64_t start_stride;  // 0: the bias for every row
  float* result;
  std::int64_t result_stride;
};

// One more link of the chains.
template <typename Weight>
MOFT_INLINE Vec add_product(Vec x, Vec weight, Vec sum) {
  return fma(x, weight, sum);
}
// One input of x, or one pair of them, for all lanes.
template <typename Weight>
MOFT_INLINE Vec broadcast(const float* x) {
  return splat(*x);
}
#if defined(__AVX512BF16__)
template <>
MOFT_INLINE Vec broadcast<Pair>(const float* x) {
  return splat_pair(x);
}
template <>
MOFT_INLINE Vec add_product<Pair>(Vec x, Vec weight, Vec sum) {
  return add_pair(x, weight, sum);
}
#endif

// The weights of one input for P panels, added to the sums.
template <int M, int P, typename Weight>
MOFT_INLINE void add_input(
    const Tile& t, std::int64_t k, const Vec* weight, Vec (*sum)[2 * P]) {
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    const Vec value = broadcast<Weight>(t.x + m * t.x_stride + k);
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) {
      sum[m][v] = add_product<Weight>(value, weight[v], sum[m][v]);
    }
  }
}

template <int M, int P, typename Number>
MOFT_INLINE void add_inputs(const Tile& t, const Number* w, Vec (*sum)[2 * P]) {
  for (std::int64_t k = 0; k < t.count; ++k) {
    Vec weight[2 * P];
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) {
      weight[v] =
          load(w + (v / 2) * t.panel_stride + k * kPanel + (v % 2) * kLanes);
    }
    add_input<M, P, Number>(t, k, weight, sum);
  }
}

template <int M, int P, typename Block>
MOFT_INLINE void add_blocks(const Tile& t, const Block* w, Vec (*sum)[2 * P]) {
  for (std::int64_t k = 0; k < t.count; k += kBlockInputs, ++w) {
    for (int i = 0; i < kBlockInputs; ++i) {
      Vec weight[2 * P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        widen(w[p * t.panel_stride], i, weight + 2 * p);
      add_input<M, P, Block>(t, k + i, weight, sum);
    }
  }
}

template <int M, int P, typename Weight>
void run_tile(const Tile& t, const Weight* w) {
  Vec sum[M][2 * P];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < 2 * P; ++v) {
      sum[m][v] = load(t.start + m * t.start_stride + v * kLanes);
    }
  }
  if constexpr (kBlocked<Weight>) {
    add_blocks<M, P>(t, w, sum);
  } else {
    add_inputs<M, P>(t, w, sum);
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < 2 * P; ++v) {
      store(t.result + m * t.result_stride + v * kLanes, sum[m][v]);
    }
  }
}

// How many panels a tile of M rows can hold in registers; widening blocks takes
// some of them.
template <int M, typename Weight>
constexpr int kPanels = 8 * M <= kAccumulators && !kBlocked<Weight>
                            ? 4
                            : (4 * M <= kAccumulators ? 2 : 1);

template <typename Weight>
struct TileKernel {
  void (*wide)(const Tile&, const Weight*);  // `panels` panels
  void (*one)(const Tile&, const Weight*);   // one panel
  int panels;
};

template <typename Weight, int M = 1>
TileKernel<Weight> tile_kernel(int rows) {
  if constexpr (M < kTileRows) {
    if (rows > M) return tile_kernel<Weight, M + 1>(rows);
  }
  constexpr int kWide = kPanels<M, Weight>;
  return {run_tile<M, kWide, Weight>, run_tile<M, 1, Weight>, kWide};
}

// A tile whose last panel sticks out of the result, by way of a full buffer.
template <typename Weight>
void run_edge_tile(
    const TileKernel<Weight>& kernel,
    Tile tile,
    const Weight* w,
    int rows,
    std::int64_t columns) {
  float buffer[kTileRows * kPanel] = {};
  for (int m = 0; m < rows; ++m) {
    for (std::int64_t c = 0; c < columns; ++c) {
      buffer[m * kPanel + c] = tile.start[m * tile.start_stride + c];
    }
  }
  float* const result = tile.result;
  tile.start = tile.result = buffer;
  tile.start_stride = kPanel;
  const auto result_stride = tile.result_stride;
  tile.result_stride = kPanel;
  kernel.one(tile, w);
  for (int m = 0; m < rows; ++m) {
    for (std::int64_t c = 0; c < columns; ++c) {
      result[m * result_stride + c] = buffer[m * kPanel + c];
    }
  }
}

// Zeros where there is no bias.
alignas(64) constexpr float kZeros[4 * kPanel] = {};

// Rows [row, row + rows) of one slab over `panels` panels from `panel` on.
template <typename Weight>
void run_rows(
    const Product& p,
    const TileKernel<Weight>& kernel,
    std::int64_t row,
    int rows,
    std::int64_t panel,
    int panels,
    std::int64_t slab,
    std::int64_t count,
    const Weight* w) {
  const auto column = panel * kPanel;
  Tile tile;
  tile.x = p.x + row * p.x_stride + slab;
  tile.x_stride = p.x_stride;
  tile.count = count;
  tile.panel_stride = elements<Weight>(p.in);
  tile.result = p.result + row * p.result_stride + column;
  tile.result_stride = p.result_stride;
  tile.start = tile.result;
  tile.start_stride = tile.result_stride;
  if (slab == 0 && !p.accumulate) {
    tile.start = p.bias != nullptr ? p.bias + column : kZeros;
    tile.start_stride = 0;
  }
  const auto columns = p.out - column;
  if (columns < kPanel) {
    run_edge_tile(kernel, tile, w, rows, columns);
  } else if (panels == 1) {
    kernel.one(tile, w);
  } else {
    kernel.wide(tile, w);
  }
}

// Few rows: every weight is read once, all its inputs in one go.
template <typename Weight>
void run_few_rows(const Product& p) {
  const auto* weights = static_cast<const Weight*>(p.panels);
  const auto kernel = tile_kernel<Weight>(static_cast<int>(p.rows));
  const auto full = p.out / kPanel;  // panels without padding
  for (auto panel = p.first_panel; panel < p.last_panel;) {
    const bool wide =
        panel + kernel.panels <= p.last_panel && panel + kernel.panels <= full;
    const int panels = wide ? kernel.panels : 1;
    run_rows(
        p,
        kernel,
        0,
        static_cast<int>(p.rows),
        panel,
        panels,
        0,
        p.in,
        weights + elements<Weight>(panel * p.in));
    panel += panels;
  }
}

// `count` inputs of a panel as many rows read them, in `buffer` if widened.
template <typename Weight>
MOFT_INLINE const float* as_operands(
    const Weight* w, std::int64_t count, float* buffer) {
  for (std::int64_t k = 0; k < count; ++k) {
    Vec weight[2];
    if constexpr (kBlocked<Weight>) {
      widen(w[k / kBlockInputs], static_cast<int>(k % kBlockInputs), weight);
    } else {
      weight[0] = load(w + k * kPanel);
      weight[1] = load(w + k * kPanel + kLanes);
    }
    store(buffer + k * kPanel, weight[0]);
    store(buffer + k * kPanel + kLanes, weight[1]);
  }
  return buffer;
}

MOFT_INLINE const float* as_operands(
    const float* w, std::int64_t /*count*/, float* /*buffer*/) {
  return w;
}

MOFT_INLINE const Pair* as_operands(
    const Pair* w, std::int64_t /*count*/, float* /*buffer*/) {
  return w;
}

// Where slab `index` of `slabs` starts: a multiple of a block's inputs.
MOFT_INLINE std::int64_t slab_start(
    std::int64_t in, std::int64_t index, std::int64_t slabs) {
  const auto start = in * index / slabs;
  return index == slabs ? in : start - start % kBlockInputs;
}

// Rows [first, last) in equal tiles; slabs to be widened are widened once for
// all.
template <typename Weight>
void run_chunk(const Product& p, std::int64_t first, std::int64_t last) {
  alignas(64) float widened[(kSlab + kBlockInputs) * kPanel];
  const auto* weights = static_cast<const Weight*>(p.panels);
  const auto tiles = (last - first + kTileRows - 1) / kTileRows;
  const auto slabs = (p.in + kSlab - 1) / kSlab;
  for (std::int64_t index = 0; index < slabs; ++index) {
    const auto slab = slab_start(p.in, index, slabs);
    const auto count = slab_start(p.in, index + 1, slabs) - slab;
    for (auto panel = p.first_panel; panel < p.last_panel; ++panel) {
      const auto* w = as_operands(
          weights + elements<Weight>(panel * p.in + slab), count, widened);
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        const auto row = first + (last - first) * tile / tiles;
        const auto end = first + (last - first) * (tile + 1) / tiles;
        const int rows = static_cast<int>(end - row);
        run_rows(
            p,
            tile_kernel<Operand<Weight>>(rows),
            row,
            rows,
            panel,
            1,
            slab,
            count,
            w);
      }
    }
  }
}

template <typename Weight>
void run_product(const Product& p) {
  if (p.rows <= kTileRows) {
    run_few_rows<Weight>(p);
    return;
  }
  const auto chunks = (p.rows + kChunk - 1) / kChunk;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    run_chunk<Weight>(
        p, p.rows * chunk / chunks, p.rows * (chunk + 1) / chunks);
  }
}

void product(const Product& p) {
  if (p.rows < 1 || p.first_panel >= p.last_panel) return;
  switch (p.format) {
    case PanelFormat::kFloat32:
      return run_product<float>(p);
    case PanelFormat::kBFloat16:
      return run_product<std::uint16_t>(p);
    case PanelFormat::kBFloat16Pairs:
#if defined(__AVX512BF16__)
      return run_product<Pair>(p);
#else
      __builtin_trap();  // round_to_bf16 is null: nobody has pairs
#endif
    case PanelFormat::kBlocks4:
      return run_product<Block4>(p);
    case PanelFormat::kBlocks8:
      return run_product<Block8>(p);
    case PanelFormat::kBlocks8Offsets:
      return run_product<Block8Offsets>(p);
    case PanelFormat::kBlocks8Halves:
      return run_product<Block8Halves>(p);
  }
}

}  // namespace
}  // namespace moft::kernels::simd
