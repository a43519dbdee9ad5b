// Copies and hashes of policies that others are made of.
#include "moft/generation/member_files.h"

#include <set>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/generation/base_files.h"
#include "moft/generation/model_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDecidingFiles[] = {
    kPolicyDefinitionFile, "steering.safetensors"};

}  // namespace

void copy_policy(const fs::path& from, const fs::path& to) {
  const std::set<std::string> weights = base_file_names(from);
  fs::create_directories(to);
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    if (!entry.is_regular_file()) continue;
    const fs::path relative = entry.path().lexically_relative(from);
    const std::string name = relative.generic_string();
    const bool is_weight = weights.contains(name);
    if (!is_weight && !is_model_file(name)) continue;
    fs::create_directories((to / relative).parent_path());
    // Small files are copied, so that only weights share their bytes.
    if (is_weight && entry.path().extension() != ".json")
      hard_link_or_copy(entry.path(), to / relative);
    else
      copy_whole_file(entry.path(), to / relative);
  }
}

MemberHashes hash_member(const fs::path& member) {
  MemberHashes hashes;
  for (const char* name : kDecidingFiles)
    hashes[name] = hash_file(member / name);
  return hashes;
}

void check_member(const fs::path& member, const MemberHashes& hashes) {
  for (const auto& [name, hash] : hash_member(member)) {
    const auto recorded = hashes.find(name);
    if (recorded != hashes.end() && recorded->second == hash) continue;
    throw_caller_error(
        "{}: is not the file that the policy around it was made of; make the "
        "policy again with `moft combine`",
        (member / name).string());
  }
}

}  // namespace moft
