// The shapes of a model whose weights are not here: what its config.json says.
//
// Errors: CallerError naming the file, as load_language_model() throws them.
// Thread safety: free functions may be called from any thread.
#pragma once

#include <filesystem>
#include <memory>

#include "moft/models/language_model.h"

namespace moft {

// Whether a path holds weights that load_language_model() would read.
bool has_weights(const std::filesystem::path& path);

// The model that the directory's config.json describes. Its shapes and its
// parameters' names may be asked for, never its numbers.
std::unique_ptr<LanguageModel> outline_language_model(
    const std::filesystem::path& directory);

}  // namespace moft
