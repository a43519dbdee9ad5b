// Histograms of what a recipe draws in training, before any training.
#pragma once

#include <cstdint>
#include <string>

#include "moft/recipes/recipe.h"

namespace moft {

// A table of comma-separated values, "quantity,from,to,share", with twenty
// equal bins of [0, 1] for each weight, for alpha and for the mixing amount
// f_mix(alpha) (figure 11). The draws are those of the first `steps` steps of
// a run that draws one weighting per batch.
std::string draws_table(const Recipe& recipe, std::int64_t steps);

}  // namespace moft
