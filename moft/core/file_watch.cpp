// Notices that files change while they are in use.
#include "moft/core/file_watch.h"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"

namespace moft {
namespace {

// False when there is no such file.
bool read_state(const std::filesystem::path& path, FileState& state) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  state.device = status.st_dev;
  state.inode = status.st_ino;
  state.bytes = status.st_size;
  state.modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 +
                      status.st_mtim.tv_nsec;
  return true;
}

}  // namespace

FileState file_state(const std::filesystem::path& path) {
  FileState state;
  if (!read_state(path, state)) {
    throw_caller_error(
        "{}: cannot be examined: {}", path.string(), std::strerror(errno));
  }
  return state;
}

const std::string& FileWatch::add(const std::filesystem::path& path) {
  // The state first: a change while hashing is seen by the next check.
  const FileState state = file_state(path);
  files_.push_back({path, state, hash_file(path)});
  return files_.back().hash;
}

void FileWatch::check() {
  for (Watched& file : files_) {
    FileState now;
    const bool there = read_state(file.path, now);
    if (there && now == file.state) continue;
    if (!there || now.bytes != file.state.bytes ||
        hash_file(file.path) != file.hash) {
      throw_world_error(
          "{}: was {} while this run used it; put the old file back and go on "
          "with --resume auto",
          file.path.string(),
          there ? "changed" : "removed");
    }
    file.state = now;
  }
}

}  // namespace moft
