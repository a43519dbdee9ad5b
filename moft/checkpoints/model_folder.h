// Which files of a path are the model: a GGUF file, a folder that holds one
// under the name `model.gguf` (or its parts model-00001-of-0000N.gguf), or a
// Hugging Face directory. A folder that could mean two models is refused.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moft {

// A link to nothing is there too, so that opening it says what it is.
bool has_entry(const std::filesystem::path& path);
// Names in the folder, in order; none when it cannot be read.
std::vector<std::string> entry_names(const std::filesystem::path& folder);

struct ModelPlace {
  bool gguf = false;
  std::filesystem::path path;  // the (first) GGUF file, or the directory
};

// CallerError for a path without a model and for an ambiguous folder.
ModelPlace find_model(const std::filesystem::path& path);

// CallerError with the cure for a folder without config.json that is known for
// what it is: the top of a Hugging Face cache, a PEFT adapter, a folder whose
// GGUF files or sub-folder are the models. Returns for any other folder.
void refuse_known_folder(const std::filesystem::path& folder);

}  // namespace moft
