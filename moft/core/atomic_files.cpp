// The writing half of files.h: temporaries, fsync, rename.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".tmp-";

[[noreturn]] void throw_write_error(const fs::path& path, int reason) {
  throw_world_error(
      "{}: cannot be written: {}", path.string(), std::strerror(reason));
}

// Temporaries of this process, so that cleaning can tell them from those that
// an earlier process with the same id left behind (ids repeat in containers).
class LiveTemporaries {
 public:
  fs::path add(const fs::path& target) {
    const std::lock_guard lock(mutex_);
    const auto name = fmt::format(
        ".{}{}{}-{}", target.filename().string(), kMark, ::getpid(), count_++);
    live_.insert(name);
    return target.parent_path() / name;
  }
  void remove(const fs::path& temporary) {
    const std::lock_guard lock(mutex_);
    live_.erase(temporary.filename().string());
  }
  bool holds(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return live_.count(name) != 0;
  }

 private:
  std::mutex mutex_;
  std::set<std::string> live_;
  std::uint64_t count_ = 0;
};

LiveTemporaries& live_temporaries() {
  static LiveTemporaries live;
  return live;
}

// The process that a temporary's name belongs to; none for any other name.
std::optional<pid_t> owner_of(const std::string& name) {
  const auto mark = name.rfind(kMark);
  if (name.empty() || name[0] != '.' || mark == std::string::npos) return {};
  const char* first = name.data() + mark + kMark.size();
  const char* last = name.data() + name.size();
  pid_t owner = 0;
  const auto [end, error] = std::from_chars(first, last, owner);
  if (error != std::errc() || owner <= 0) return {};
  if (end != last && *end != '-') return {};
  return owner;
}

bool is_stale(const std::string& name) {
  const auto owner = owner_of(name);
  if (!owner) return false;
  if (*owner == ::getpid()) return !live_temporaries().holds(name);
  return ::kill(*owner, 0) != 0 && errno == ESRCH;
}

// Only those made for a target called `target`; all when it is empty.
void remove_stale(const fs::path& directory, const std::string& target) {
  const std::string prefix =
      target.empty() ? "." : fmt::format(".{}{}", target, kMark);
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end;
       !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.compare(0, prefix.size(), prefix) == 0 && is_stale(name))
      fs::remove_all(entry->path(), ignored);
  }
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
  temporary_ = live_temporaries().add(path_);
  descriptor_ =
      ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int reason = errno;
    live_temporaries().remove(temporary_);
    throw_write_error(path_, reason);
  }
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  live_temporaries().remove(temporary_);
  temporary_.clear();
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
  // close() reports late errors of network file systems.
  if (::close(std::exchange(descriptor_, -1)) != 0)
    throw_write_error(path_, errno);
  rename_or_throw(temporary_, path_);
  live_temporaries().remove(temporary_);
  temporary_.clear();
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
  temporary_ = live_temporaries().add(path_);
  if (::mkdir(temporary_.c_str(), 0777) != 0) {
    const int reason = errno;
    live_temporaries().remove(temporary_);
    throw_write_error(path_, reason);
  }
}

AtomicDirectory::~AtomicDirectory() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  live_temporaries().remove(temporary_);
}

void AtomicDirectory::commit() {
  try {
    flush_tree(temporary_);
  } catch (const fs::filesystem_error& error) {
    throw_world_error(
        "{}: cannot be written: {}", path_.string(), error.code().message());
  }
  std::error_code ignored;
  if (if_exists_ == IfExists::kReplace && fs::exists(path_, ignored)) {
    exchange_directory(temporary_, path_);
  } else {
    // Refuses when somebody filled `path_` meanwhile.
    rename_or_throw(temporary_, path_);
    flush_to_disk(directory_of(path_));
  }
  live_temporaries().remove(temporary_);
  temporary_.clear();
}

void ensure_writable_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    if (error == std::errc::not_a_directory || fs::exists(path, ignored))
      throw_caller_error(
          "{}: cannot be a directory, because a file stands in its way; give "
          "another path",
          path.string());
    throw_world_error(
        "{}: the directory cannot be created: {}",
        path.string(),
        error.message());
  }
  // access() is blind to read-only mounts seen as root; a real file is not.
  const fs::path probe = live_temporaries().add(path / "probe");
  const int descriptor =
      ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  const int reason = errno;
  if (descriptor >= 0) {
    ::close(descriptor);
    ::unlink(probe.c_str());
  }
  live_temporaries().remove(probe);
  if (descriptor < 0)
    throw_world_error(
        "{}: the directory cannot be written to: {}; fix its permissions or "
        "give another path",
        path.string(),
        std::strerror(reason));
}

}  // namespace moft
