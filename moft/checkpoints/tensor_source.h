// Named tensors in files, memory-mapped. Knows no model and no torch.
//
// A TensorView points into the mapping of the TensorSource that gave it and
// dies with it. Every offset, size and count of a file has been checked
// against the file's real length before a view is handed out.
//
// Thread safety: a source is immutable after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace moft {

enum class TensorType {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kQ8_0,
  kQ4_0,
  kQ4_1,  // GGUF blocks of 32 elements along the last dimension
};

struct TensorView {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  // outermost first, as in Hugging Face
  std::span<const std::byte> bytes;

  std::int64_t element_count() const;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // Names in the order of the file(s).
  virtual const std::vector<std::string>& names() const = 0;
  virtual std::optional<TensorView> find(std::string_view name) const = 0;
  // A path for messages.
  virtual std::string describe() const = 0;
};

// Converts (dequantises) any floating or quantised view to float.
// REQUIRES out.size() == view.element_count().
void to_float(const TensorView& view, std::span<float> out);

// Bits of the whole numbers of a type of quantised blocks; 0 for other types.
int block_bits(TensorType type);

// The parts of a quantised view, block by block of 32 elements:
// element = scale * number + offset, the product being exact in float. Offsets
// are written for 4 bits only, where numbers are 0 to 15.
// REQUIRES block_bits(view.type) != 0 and spans of the view's blocks and
// elements.
void to_blocks(
    const TensorView& view,
    std::span<float> scales,
    std::span<float> offsets,
    std::span<std::int8_t> numbers);

}  // namespace moft
