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

struct Tile {
  const float* x;
  std::int64_t x_stride;
  std::int64_t count;
  std::int64_t panel_stride;
  const float* start;         // what the chains start from, row by row
  std::int64_t start_stride;  // 0: the bias for every row
  float* result;
  std::int64_t result_stride;
};

template <int M, int P, typename Weight>
void run_tile(const Tile& t, const Weight* w) {
  Vec sum[M][2 * P];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < 2 * P; ++v) {
      sum[m][v] = load(t.start + m * t.start_stride + v * kLanes);
    }
  }
  const float* x = t.x;
  for (std::int64_t k = 0; k < t.count; ++k) {
    Vec weight[2 * P];
#pragma GCC unroll 8
    for (int v = 0; v < 2 * P; ++v) {
      weight[v] =
          load(w + (v / 2) * t.panel_stride + k * kPanel + (v % 2) * kLanes);
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const Vec value = splat(x[m * t.x_stride + k]);
#pragma GCC unroll 8
      for (int v = 0; v < 2 * P; ++v) {
        sum[m][v] = fma(value, weight[v], sum[m][v]);
      }
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < 2 * P; ++v) {
      store(t.result + m * t.result_stride + v * kLanes, sum[m][v]);
    }
  }
}

// How many panels a tile of M rows can hold in registers.
template <int M>
constexpr int kPanels = 8 * M <= kAccumulators
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
  return {run_tile<M, kPanels<M>, Weight>, run_tile<M, 1, Weight>, kPanels<M>};
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
  tile.panel_stride = p.in * kPanel;
  tile.result = p.result + row * p.result_stride + column;
  tile.result_stride = p.result_stride;
  tile.start = tile.result;
  tile.start_stride = tile.result_stride;
  if (slab == 0) {
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
        weights + panel * p.in * kPanel);
    panel += panels;
  }
}

MOFT_INLINE const float* as_floats(
    const float* w, std::int64_t /*count*/, float* /*buffer*/) {
  return w;
}

MOFT_INLINE const float* as_floats(
    const std::uint16_t* w, std::int64_t count, float* buffer) {
  for (std::int64_t i = 0; i < count; i += kLanes)
    store(buffer + i, load(w + i));
  return buffer;
}

// Rows [first, last) in equal tiles; bf16 slabs are widened once for all.
template <typename Weight>
void run_chunk(const Product& p, std::int64_t first, std::int64_t last) {
  alignas(64) float widened[kSlab * kPanel];
  const auto* weights = static_cast<const Weight*>(p.panels);
  const auto tiles = (last - first + kTileRows - 1) / kTileRows;
  const auto slabs = (p.in + kSlab - 1) / kSlab;
  for (std::int64_t index = 0; index < slabs; ++index) {
    const auto slab = p.in * index / slabs;
    const auto count = p.in * (index + 1) / slabs - slab;
    for (auto panel = p.first_panel; panel < p.last_panel; ++panel) {
      const auto* w = as_floats(
          weights + (panel * p.in + slab) * kPanel, count * kPanel, widened);
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        const auto row = first + (last - first) * tile / tiles;
        const auto end = first + (last - first) * (tile + 1) / tiles;
        const int rows = static_cast<int>(end - row);
        run_rows(
            p, tile_kernel<float>(rows), row, rows, panel, 1, slab, count, w);
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
  if (p.bfloat16) {
    run_product<std::uint16_t>(p);
  } else {
    run_product<float>(p);
  }
}

}  // namespace
}  // namespace moft::kernels::simd
