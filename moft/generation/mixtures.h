// How many mixed weights are kept at a time.
//
// A steering with its own mixed weights (steered_linear.h) costs the memory of
// one more model while its rows are computed, so batches are computed in parts
// of few steerings. On the CPU no row's bits depend on the parts.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>

#include "moft/models/language_model.h"

namespace moft {

// The most distinct steerings of a part; a reference beside them is one more.
constexpr std::size_t kMixturesAtOnce = 8;

// Whether the model has copies that are mixed first, steering by steering.
bool keeps_mixtures(const LanguageModel& model);

}  // namespace moft
