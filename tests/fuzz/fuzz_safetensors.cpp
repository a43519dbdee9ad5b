// A safetensors file: open it, visit every tensor, widen what can be widened.
#include <vector>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/core/errors.h"

#include "fuzz_target.h"

namespace {

void parse(std::span<const std::uint8_t> bytes) {
  const moft::SafetensorsFile file(moft::fuzz::memory_file(bytes));
  for (const auto& name : file.names()) {
    const auto view = file.find(name);
    if (!view) throw std::logic_error("a listed tensor is not found");
    std::vector<float> floats(static_cast<std::size_t>(view->element_count()));
    try {
      moft::to_float(*view, floats);
    } catch (const moft::CallerError&) {
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moft::fuzz::refusals_are_fine(parse, {data, size});
  return 0;
}
