// Files whose content has to stay as it is while something depends on it: the
// weights of a base model that a run keeps mapped, or a policy is linked to.
//
// Size and time of the last change are compared first; the content is hashed
// only where one of them differs.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moft {

struct FileState {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970

  bool operator==(const FileState&) const = default;
};

// State of the file that `path` names, symbolic links followed. CallerError
// when there is none.
FileState file_state(const std::filesystem::path& path);

class FileWatch {
 public:
  // Returns the hash of the content, as hash_file does.
  const std::string& add(const std::filesystem::path& path);
  // WorldError for the first file whose content is no longer what it was.
  void check();

 private:
  struct Watched {
    std::filesystem::path path;
    FileState state;
    std::string hash;
  };
  std::vector<Watched> files_;
};

}  // namespace moft
