// base_files.json of a policy directory: what the base's weight files were
// when the policy was written. They are hard links, so whoever writes over the
// base in place writes over the policy's base too.
//
// Errors: CallerError naming the file.
// Thread safety: pure functions.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace moft {

inline constexpr const char* kBaseFilesFile = "base_files.json";

// By the names in `provenance` (moft.json): "xxh3 base weights <file>".
using Provenance = std::map<std::string, std::string>;

// Where a base's weights go in a policy directory, by their paths.
struct BaseFile {
  std::filesystem::path from;
  std::string name;
};

// Writes base_files.json into `directory`, which holds `files` already. A hash
// that is not in `provenance` is computed.
void write_base_files(
    const std::filesystem::path& directory,
    const std::vector<BaseFile>& files,
    const Provenance& provenance);

// CallerError when a weight file in `directory` is not the one that the policy
// was trained on. Size and time are compared first, then hashes; policies from
// before there was a base_files.json are hashed.
void check_base_files(
    const std::filesystem::path& directory, const Provenance& provenance);

// The names in base_files.json; none without one.
std::set<std::string> base_file_names(const std::filesystem::path& directory);

}  // namespace moft
