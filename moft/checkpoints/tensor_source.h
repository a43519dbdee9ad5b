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

#include "moft/checkpoints/tensor_type.h"

namespace moft {

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

// The first element that is infinite or no number, as an index into the view;
// -1 when all are finite. Of blocks only the numbers they are scaled by are
// read. Views of whole numbers are finite.
std::int64_t find_not_finite(const TensorView& view);

}  // namespace moft
