// Records of the base's weight files, and the check that they are unchanged.
#include "moft/generation/base_files.h"

#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/file_watch.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/generation/model_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBaseFilesFormatVersion = 1;
constexpr std::uint64_t kMostBytes = 1 << 22;
constexpr std::string_view kWeightsPrefix = "xxh3 base weights ";

struct BaseFileEntry {
  std::string name;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::string hash;

  template <class V>
  void fields(V& v) {
    v("name", name, Help{"name of the weight file"}, Required{});
    v("bytes", bytes, Help{"its size"}, at_least(0));
    v("modified_ns", modified_ns, Help{"its last change, since 1970"});
    v("hash", hash, Help{"XXH3-128 of its content"}, Required{});
  }
};

struct BaseFiles {
  std::int64_t format_version = kBaseFilesFormatVersion;
  std::vector<BaseFileEntry> files;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kBaseFilesFormatVersion));
    v("files", files, Help{"the weight files of the base"});
  }
};

std::optional<BaseFiles> read_base_files(const fs::path& directory) {
  const fs::path file = directory / kBaseFilesFile;
  if (!fs::exists(file)) return std::nullopt;
  BaseFiles base;
  const std::string place = file.string();
  options_from_json(
      base, parse_json(read_text(file, kMostBytes), place), place);
  check_options(base, place);
  return base;
}

void check_hash(
    const fs::path& file, const std::string& hash, const char* recorded_in) {
  if (hash_file(file) == hash) return;
  throw_caller_error(
      "{}: is not the base that this policy was trained on (its hash is not "
      "the one in {}); put the original weights back, or train again",
      file.string(),
      recorded_in);
}

// For a policy without base_files.json. A GGUF base has another name here.
void check_provenance(const fs::path& directory, const Provenance& provenance) {
  for (const auto& [key, hash] : provenance) {
    if (!key.starts_with(kWeightsPrefix)) continue;
    fs::path file = directory / key.substr(kWeightsPrefix.size());
    if (!fs::exists(file)) file = directory / "model.gguf";
    if (fs::exists(file)) check_hash(file, hash, kPolicyDefinitionFile);
  }
}

}  // namespace

void write_base_files(
    const fs::path& directory,
    const std::vector<BaseFile>& files,
    const Provenance& provenance) {
  BaseFiles base;
  for (const BaseFile& file : files) {
    const fs::path here = directory / file.name;
    const FileState state = file_state(here);
    const auto known = provenance.find(
        std::string(kWeightsPrefix) + file.from.filename().string());
    base.files.push_back(
        {file.name,
         state.bytes,
         state.modified_ns,
         known == provenance.end() ? hash_file(here) : known->second});
  }
  write_atomically(
      directory / kBaseFilesFile, options_to_json(base).dump(2) + "\n");
}

void check_base_files(const fs::path& directory, const Provenance& provenance) {
  const auto base = read_base_files(directory);
  if (!base) {
    check_provenance(directory, provenance);
    return;
  }
  for (const BaseFileEntry& entry : base->files) {
    const fs::path file = directory / entry.name;
    const FileState now = file_state(file);
    if (now.bytes == entry.bytes && now.modified_ns == entry.modified_ns)
      continue;
    check_hash(file, entry.hash, kBaseFilesFile);
  }
}

std::set<std::string> base_file_names(const fs::path& directory) {
  std::set<std::string> names;
  try {
    if (const auto base = read_base_files(directory)) {
      for (const BaseFileEntry& entry : base->files)
        names.insert(entry.name);
    }
  } catch (const CallerError&) {
    // Unreadable: then it names nothing.
  }
  return names;
}

}  // namespace moft
