// A weight matrix laid out once for fast products with few or many rows.
//
// GUARANTEE (CPU, float32 input): every output element is one fixed chain of
// fused multiply-adds over the input features in rising order, started at the
// bias (or zero). Its bits depend on its own row of x, its own row of the
// weight and the bias, and on the machine's instruction set: never on the
// number of rows, the row's place, the batch, or the number of threads.
//
// Storage kBFloat16 rounds the weight once (to nearest even) and halves the
// bytes read. Where the processor multiplies bf16 (rounds_inputs()), x is
// rounded too and the chain runs over pairs of inputs, summed in float32, a
// vdpbf16ps each, to which subnormal numbers are 0; elsewhere arithmetic stays
// float32. On other devices the weight is kept as [out, in] in the storage type
// and at::linear does the work, in that type (no guarantee).
// The kBlocks storages keep the blocks of a quantised file (block_panels.h):
// the bits of kFloat32 at a fifth (4 bits) or a third (8 bits) of its bytes.
//
// Layout on CPU: panels of w outputs (w = two vector registers); a panel is
// [in][w], zero-padded in the last panel; bf16 is stored as its 16 bits, and
// as [in / 2][w][2] where inputs are multiplied in pairs.
// After K. Goto, R. van de Geijn, "Anatomy of high-performance matrix
// multiplication", ACM TOMS 2008.
//
// Thread safety: a PackedMatrix is immutable and may be shared; multiply() may
// be called from several threads. Work is split by at::get_num_threads().
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "moft/kernels/block_panels.h"

namespace moft::kernels {

enum class Storage {
  kFloat32,
  kBFloat16,
  kBlocks4,         // 4 bits with offsets
  kBlocks8,         // 8 bits without
  kBlocks8Offsets,  // 8 bits with offsets
  kBlocks8Halves,   // 8 bits, a scale for each half of a block
};

// Whether products with weights in this storage round x (float32) to bf16: on
// a CPU only where it multiplies bf16, elsewhere always.
bool rounds_inputs(Storage storage, at::Device device = at::kCPU);

// Writes rows begin..end of a matrix, float32, one after the other, to
// `target`. Called from several threads at once. A vector counts as one row.
using ReadRows =
    std::function<void(std::int64_t begin, std::int64_t end, float* target)>;

// A matrix that is read when it is needed; as blocks too, where it has them.
struct RowSource {
  RowSource() = default;
  // From anything that ReadRows takes.
  template <std::invocable<std::int64_t, std::int64_t, float*> Read>
  RowSource(Read floats_, ReadBlocks blocks_ = {})
      : floats(std::move(floats_)), blocks(std::move(blocks_)) {}

  ReadRows floats;
  ReadBlocks blocks;
};

class PackedMatrix {
 public:
  // weight [out, in], any floating type, any strides; copied.
  // CallerError unless it has two dimensions, both at least 1.
  // REQUIRES kFloat32 or kBFloat16.
  explicit PackedMatrix(
      const at::Tensor& weight, Storage storage = Storage::kFloat32);

  // Packs [out, in] as it is read, on the CPU, without a plain copy beside it.
  // What comes in blocks stays in blocks unless kBFloat16 is asked for.
  PackedMatrix(
      std::int64_t out,
      std::int64_t in,
      const RowSource& source,
      Storage storage = Storage::kFloat32);

  std::int64_t out() const { return out_; }
  std::int64_t in() const { return in_; }
  Storage storage() const { return storage_; }
  at::Device device() const { return data_.device(); }
  // Bytes held (what one product with few rows has to read).
  std::int64_t bytes() const;
  // The weight [out, in] in float32 (after rounding to the storage type).
  at::Tensor unpack() const;

  // Rows of the weight by index: ids int64 [n] -> [n, in] float32.
  at::Tensor rows(const at::Tensor& ids) const;

  // The raw panels (CPU) or the [out, in] weight (elsewhere).
  const at::Tensor& data() const { return data_; }

 private:
  bool in_blocks() const;
  template <typename Rows>
  void pack_rows(Rows rows);
  void pack_blocks(const ReadBlocks& source);
  void unpack_blocks(std::int64_t row, float* target) const;

  std::int64_t out_ = 0;
  std::int64_t in_ = 0;
  Storage storage_ = Storage::kFloat32;
  at::Tensor data_;
};

// x [.., in] -> x W^T + bias [.., out]; bias [out] float32. The result has the
// dtype of x. No autograd (linear_function.h has it). x may be a strided view
// as long as its last dimension is contiguous (a slice of a fused product).
at::Tensor multiply(
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias = std::nullopt);

// The same into out [rows, out] (float32 rows, last dimension contiguous).
// out must not overlap x.
void multiply_into(
    at::Tensor& out,
    const at::Tensor& x,
    const PackedMatrix& weight,
    const std::optional<at::Tensor>& bias = std::nullopt);

// out += x W^T in place, the chains starting from out's elements. Shapes and
// rules as for multiply_into.
void multiply_add(
    at::Tensor& out, const at::Tensor& x, const PackedMatrix& weight);

}  // namespace moft::kernels
