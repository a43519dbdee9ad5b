// How the models of a family lie in a GGUF file: what llama.cpp calls their
// parameters and settings (models/families.h).
//
// Thread safety: plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "moft/checkpoints/gguf_writer.h"

namespace moft {

// Where a parameter goes.
struct GgufPlace {
  std::string name;
  // llama.cpp keeps each head's rotary pairs side by side: rows are in another
  // order within every `head_size` of them (gguf_row). 0: in theirs.
  std::int64_t head_size = 0;
};

// The row of the file that is row `row` of Hugging Face's matrix.
inline std::int64_t gguf_row(std::int64_t row, std::int64_t head_size) {
  const std::int64_t inside = row % head_size, half = head_size / 2;
  return row - inside + inside % half * 2 + inside / half;
}

struct GgufLayout {
  std::string architecture;
  GgufValues values;  // of the architecture
  // float32 vectors beside the parameters.
  std::vector<std::pair<std::string, std::vector<float>>> vectors;
  // By Hugging Face's name; nothing for a parameter without a place.
  std::function<std::optional<GgufPlace>(const std::string& name)> place;
};

}  // namespace moft
