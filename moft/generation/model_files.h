// The names that moft gives to files: in a policy directory, in an exported
// model. Whatever else is in such a directory was put there by somebody else
// and stays when the directory is written again or removed.
//
// Thread safety: pure functions.
#pragma once

#include <filesystem>
#include <string>

namespace moft {

inline constexpr const char* kPolicyDefinitionFile = "moft.json";
inline constexpr const char* kExportNoteFile = "moft_export.json";
// A copy of the adapter that is merged into a policy's base.
inline constexpr const char* kBaseAdapterFolder = "base_adapter";

// True for the name of a file that moft writes into a policy directory or an
// exported model: definition, weights and their shards, configuration,
// tokenizer, model card.
bool is_model_file(const std::string& name);

// True when `path` cannot become such a directory without writing over what
// moft did not write: it has files of these names but not `mark`, which moft
// always writes, or it is not a directory.
bool is_in_the_way(const std::filesystem::path& path, const char* mark);

}  // namespace moft
