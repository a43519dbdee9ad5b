// Arithmetic of rotary scalings in double, for reading and writing their
// settings (private to models/llama/).
#pragma once

#include <optional>

#include "moft/models/llama/rope.h"

namespace moft {

// 1 + 0.1 scale ln(factor), 1 up to a factor of 1 (YaRN, section 3.4).
double yarn_attention(double factor, double scale);

// What llama3 divides the frequencies by: [head_size / 2].
std::vector<double> llama3_factors(
    const RopeScaling& scaling, double theta, std::int64_t head_size);

// The llama3 settings whose factors these are (low 1, high 4 and an original
// context that is a power of two, as in all of Meta's models), if there are
// such. REQUIRES kFactors.
std::optional<RopeScaling> llama3_of_factors(
    const Rope& rope, std::int64_t head_size);

}  // namespace moft
