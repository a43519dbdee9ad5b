// How a model asks for its parameters while it is built.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "moft/kernels/packed_matrix.h"

namespace moft {

// Finds a parameter by its Hugging Face name and checks it at once; what it
// returns reads rows of it whenever it is called.
using LoadTensor = std::function<kernels::RowSource(
    const std::string& name, std::vector<std::int64_t> shape)>;

}  // namespace moft
