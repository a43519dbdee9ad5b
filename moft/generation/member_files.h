// Policies inside a policy directory: a kind that combines other policies keeps
// them in folders of its own directory, whole, so that it can be moved as one.
//
// Errors: CallerError naming the file.
// Thread safety: pure functions.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/generation/model_files.h"

namespace moft {

// The settings in the directory's moft.json, checked (core/fields.h).
template <class File>
File read_policy_settings(const std::filesystem::path& directory) {
  const std::string place = (directory / kPolicyDefinitionFile).string();
  File file;
  options_from_json(file, parse_json(read_text(place), place), place);
  check_options(file, place);
  return file;
}

// Copies the policy directory `from` to the new folder `to`: what moft wrote
// there, the base's weights as hard links where the file system can.
void copy_policy(
    const std::filesystem::path& from, const std::filesystem::path& to);

// XXH3-128 by the names of the files that decide what a member answers, beside
// its base, which base_files.json covers.
using MemberHashes = std::map<std::string, std::string>;
MemberHashes hash_member(const std::filesystem::path& member);

// CallerError unless the member's files have these hashes.
void check_member(
    const std::filesystem::path& member, const MemberHashes& hashes);

}  // namespace moft
