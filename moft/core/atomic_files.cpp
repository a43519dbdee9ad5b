// Whole writes: temporaries, fsync, rename.
#include "moft/core/atomic_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/temporaries.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_write_error(const fs::path& path, int reason) {
  throw_world_error(
      "{}: cannot be written: {}", path.string(), std::strerror(reason));
}

// "a/b/" and "a/b/." mean a/b.
fs::path named_path(fs::path path, std::string_view what) {
  path = path.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const std::string name = path.filename().string();
  if (name.empty() || name == "." || name == "..")
    throw_caller_error(
        "\"{}\" does not name a {}; give a path that ends in a name",
        path.string(),
        what);
  return path;
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void flush_tree(const fs::path& directory) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_symlink()) continue;
    if (entry.is_regular_file() || entry.is_directory())
      flush_to_disk(entry.path());
  }
  flush_to_disk(directory);
}

fs::path replaced_name(const fs::path& path) {
  return path.parent_path() /
         fmt::format(".{}.replaced", path.filename().string());
}

// Undoes a replacement that a crash cut in two.
void restore_replaced(const fs::path& path) {
  const fs::path old = replaced_name(path);
  std::error_code ignored;
  if (!fs::exists(old, ignored)) return;
  if (fs::exists(path, ignored))
    fs::remove_all(old, ignored);
  else
    fs::rename(old, path, ignored);
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_write_error(to, errno);
}

// Swaps the new directory with the old one at `path`; removes the old one.
void exchange_directory(const fs::path& fresh, const fs::path& path) {
  std::error_code ignored;
  if (::renameat2(
          AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) ==
      0) {
    flush_to_disk(directory_of(path));
    fs::remove_all(fresh, ignored);
    return;
  }
  const fs::path old = replaced_name(path);
  rename_or_throw(path, old);
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    fs::rename(old, path, ignored);
    throw_write_error(path, reason);
  }
  flush_to_disk(directory_of(path));
  fs::remove_all(old, ignored);
}

bool has_own_file(
    const fs::path& folder,
    const fs::path& name,
    const AtomicDirectory::IsOwnName& is_own) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_own((name / entry.path().filename()).string())) return true;
  }
  return false;
}

// The same entry under another name: files are linked or copied.
void carry_over(const fs::path& from, const fs::path& to) {
  const auto status = fs::symlink_status(from);
  if (fs::is_symlink(status)) {
    fs::copy_symlink(from, to);
  } else if (fs::is_directory(status)) {
    fs::create_directory(to, from);
    for (const auto& entry : fs::directory_iterator(from))
      carry_over(entry.path(), to / entry.path().filename());
  } else if (fs::is_regular_file(status)) {
    hard_link_or_copy(from, to);
  } else {
    throw_caller_error(
        "{}: is neither a file nor a folder, and the folder around it is to "
        "be replaced; move it away",
        from.string());
  }
}

}  // namespace

void flush_to_disk(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_write_error(path, errno);
  const int result = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  // EINVAL: this file system has nothing to flush for such an entry.
  if (result != 0 && reason != EINVAL) throw_write_error(path, reason);
}

void remove_stale_temporaries(const fs::path& directory) {
  remove_stale(directory, "");
}

AtomicFile::AtomicFile(fs::path path)
    : path_(named_path(std::move(path), "file")) {
  std::error_code ignored;
  if (fs::is_directory(path_, ignored))
    throw_caller_error(
        "{}: is a directory and cannot be replaced by a file", path_.string());
  remove_stale(directory_of(path_), path_.filename().string());
  temporary_ = std::make_unique<Temporary>(path_, Temporary::Kind::kFile);
  if (temporary_->reason() == 0) {
    descriptor_ = ::fcntl(temporary_->descriptor(), F_DUPFD_CLOEXEC, 0);
    if (descriptor_ >= 0) return;
    throw_write_error(path_, errno);
  }
  throw_write_error(path_, temporary_->reason());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // Linux moves at most 2 GiB at once.
    const std::size_t part = std::min<std::size_t>(bytes.size(), 1u << 30);
    const ssize_t written = ::write(descriptor_, bytes.data(), part);
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_write_error(path_, errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) throw_write_error(path_, errno);
  // close() reports late errors of network file systems; the temporary keeps
  // its lock by its own descriptor.
  if (::close(std::exchange(descriptor_, -1)) != 0)
    throw_write_error(path_, errno);
  rename_or_throw(temporary_->path(), path_);
  temporary_->release();
  flush_to_disk(directory_of(path_));
}

void write_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

AtomicDirectory::AtomicDirectory(fs::path path, IfExists if_exists)
    : path_(named_path(std::move(path), "directory")), if_exists_(if_exists) {
  restore_replaced(path_);
  std::error_code ignored;
  const auto status = fs::symlink_status(path_, ignored);
  if (fs::exists(status) && if_exists_ == IfExists::kRefuse)
    throw_caller_error(
        "{}: exists already and will not be overwritten; give another name",
        path_.string());
  if (fs::exists(status) && !fs::is_directory(status))
    throw_caller_error(
        "{}: is not a directory and will not be replaced by one",
        path_.string());
  remove_stale(directory_of(path_), path_.filename().string());
  temporary_ = std::make_unique<Temporary>(path_, Temporary::Kind::kDirectory);
  if (temporary_->reason() != 0) throw_write_error(path_, temporary_->reason());
}

AtomicDirectory::~AtomicDirectory() = default;

const fs::path& AtomicDirectory::building() const {
  return temporary_->path();
}

void AtomicDirectory::keep_others(const IsOwnName& is_own) {
  std::error_code ignored;
  if (!fs::is_directory(path_, ignored)) return;
  std::vector<fs::path> left{{}};  // folders, relative
  while (!left.empty()) {
    const fs::path folder = left.back();
    left.pop_back();
    for (const auto& entry : fs::directory_iterator(path_ / folder)) {
      const fs::path name = folder / entry.path().filename();
      const bool written = fs::is_directory(building() / name);
      if (entry.is_regular_file() && is_own(name.string())) continue;
      if (entry.is_directory() && !entry.is_symlink() &&
          (written || has_own_file(entry.path(), name, is_own))) {
        left.push_back(name);
        continue;
      }
      fs::create_directories(building() / folder);
      carry_over(entry.path(), building() / name);
    }
  }
}

void AtomicDirectory::commit() {
  try {
    flush_tree(building());
  } catch (const fs::filesystem_error& error) {
    throw_world_error(
        "{}: cannot be written: {}", path_.string(), error.code().message());
  }
  std::error_code ignored;
  if (if_exists_ == IfExists::kReplace && fs::exists(path_, ignored)) {
    exchange_directory(building(), path_);
  } else {
    // Refuses when somebody filled `path_` meanwhile.
    rename_or_throw(building(), path_);
    flush_to_disk(directory_of(path_));
  }
  temporary_->release();
}

FolderLock::FolderLock(const fs::path& folder) {
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) throw_write_error(folder, errno);
  // A file system without locks must not keep anybody from writing.
  while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

FolderLock::~FolderLock() {
  ::close(descriptor_);
}

void ensure_writable_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    if (error == std::errc::not_a_directory || fs::exists(path, ignored))
      throw_caller_error(
          "{}: cannot create the directory, a file is in its way; give another "
          "path",
          path.string());
    throw_world_error(
        "{}: the directory cannot be created: {}",
        path.string(),
        error.message());
  }
  // access() is blind to read-only mounts seen as root; a real file is not.
  const Temporary probe(path / "probe", Temporary::Kind::kFile);
  if (probe.reason() != 0)
    throw_world_error(
        "{}: the directory cannot be written to: {}; fix its permissions or "
        "give another path",
        path.string(),
        std::strerror(probe.reason()));
}

}  // namespace moft
