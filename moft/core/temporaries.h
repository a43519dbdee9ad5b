// Files and folders that are still being written, under a temporary name
// beside their target: `.<name>.tmp-<process>-<n>-<boot>`. The last part names
// the running kernel, which containers of one machine share.
//
// A temporary is locked (flock) as long as its writer lives, whichever
// container or machine that runs in. One that can be locked was left by a dead
// process; where a file system has no locks, or the name comes from another
// kernel, it also has to be a day old. Names without the last part are those
// of earlier versions: their process has to be gone.
//
// Thread safety: free functions may be called from any thread; an object
// belongs to one thread at a time.
#pragma once

#include <filesystem>
#include <string>

namespace moft {

class Temporary {
 public:
  enum class Kind { kFile, kDirectory };

  // Makes an empty one for `target`; look at reason() before use.
  Temporary(const std::filesystem::path& target, Kind kind);
  // Removes what has not been released.
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  // 0, or the errno of what kept it from being made.
  int reason() const { return reason_; }
  const std::filesystem::path& path() const { return path_; }
  // Descriptors: the file, for writing; the folder, for reading.
  int descriptor() const { return descriptor_; }
  // Removes it, or forgets it once it has its final name.
  void remove() noexcept;
  void release() noexcept;

 private:
  bool make(Kind kind);
  bool lock() const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  int reason_ = 0;
};

// Removes a folder so that nobody finds half of it under its name. WorldError
// when the system refuses.
void remove_whole_directory(const std::filesystem::path& directory);

// Removes what dead processes left for `target` in `directory`; for any
// target when it is empty. A missing directory is fine.
void remove_stale(
    const std::filesystem::path& directory, const std::string& target);

}  // namespace moft
