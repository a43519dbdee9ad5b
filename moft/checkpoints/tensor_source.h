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
  // GGUF blocks along the last dimension: of 32 elements ..
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  // .. and of 256, whose parts of 32 or 16 have scales of their own.
  kQ4_K,
  kQ5_K,
  kQ6_K,
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

// The parts of a quantised view that products read: runs of `run` elements
// with element = scale * number + offset, the product being exact in float.
struct BlockForm {
  int bits = 0;  // of the numbers: 4 (0 to 15) or 8 (signed); 0: no blocks
  int run = 32;  // elements that share a scale
  bool offsets = false;
};
BlockForm block_form(TensorType type);

// Writes those parts, run by run. `offsets` may be empty without offsets.
// REQUIRES block_form(view.type).bits != 0 and spans of the view's runs and
// elements.
void to_blocks(
    const TensorView& view,
    std::span<float> scales,
    std::span<float> offsets,
    std::span<std::int8_t> numbers);

// The first element that is infinite or no number, as an index into the view;
// -1 when all are finite. Of blocks only the numbers they are scaled by are
// read. Views of whole numbers are finite.
std::int64_t find_not_finite(const TensorView& view);

}  // namespace moft
