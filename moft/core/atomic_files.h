// Writes that happen whole or not at all. Everything that moft publishes
// (checkpoints, policies, reports) goes through AtomicFile or AtomicDirectory,
// so that a crash, a `kill -9` or a full disk never leaves something
// half-written under a final name.
//
// Errors: CallerError for a path that was given wrongly; WorldError, with path
// and the system's own words, for what the machine refuses (full disk,
// permission).
//
// Thread safety: free functions may be called from any thread; an object
// belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace moft {

class Temporary;

// Writes under a temporary name beside `path` (temporaries.h); commit() makes
// it `path` (fsync, rename, fsync of the directory) and replaces what was
// there. Without commit() the destructor removes the temporary. Temporaries
// that dead processes left for the same name are removed first.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // REQUIRES not committed yet.
  void commit();

 private:
  std::filesystem::path path_;
  std::unique_ptr<Temporary> temporary_;
  int descriptor_ = -1;
};

void write_atomically(const std::filesystem::path& path, std::string_view text);
void write_atomically(
    const std::filesystem::path& path, std::span<const std::byte> bytes);

enum class IfExists { kRefuse, kReplace };

// Builds a directory under a temporary sibling name; commit() fsyncs all that
// is in it and renames it into place. With kReplace an existing directory is
// exchanged and then removed (in one step where the file system can, otherwise
// through `.<name>.replaced`, which the next AtomicDirectory of that name puts
// back if a crash fell between the two renames).
class AtomicDirectory {
 public:
  // kRefuse: CallerError when `path` exists already.
  explicit AtomicDirectory(
      std::filesystem::path path, IfExists if_exists = IfExists::kRefuse);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Where to write until commit().
  const std::filesystem::path& building() const;
  // Takes over from the directory that is to be replaced all but the files
  // that `is_own` names ("a.json", or "folder/a.json"): what somebody else put
  // there stays there.
  using IsOwnName = std::function<bool(const std::string& name)>;
  void keep_others(const IsOwnName& is_own);
  // REQUIRES not committed yet.
  void commit();

 private:
  std::filesystem::path path_;
  std::unique_ptr<Temporary> temporary_;
  IfExists if_exists_;
};

// Keeps other moft processes out of a folder while several files in it are
// replaced; waits for its turn.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

// Removes the temporaries in `directory` that dead processes left
// (temporaries.h). A missing directory is fine.
void remove_stale_temporaries(const std::filesystem::path& directory);

// Flushes a file or a directory's entries to the disk.
void flush_to_disk(const std::filesystem::path& path);

// Creates the directory and its parents where missing and proves that a file
// can be written there. CallerError when something else is in the way.
void ensure_writable_directory(const std::filesystem::path& path);

}  // namespace moft
