// Reading, linking, copying and hashing files.
#include "moft/core/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "moft/core/atomic_files.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

// What open() refused on reading is the caller's fault: the path came from
// there.
int open_to_read(const fs::path& path) {
  // Non-blocking, so that a named pipe cannot hang us before fstat sees it.
  const int descriptor =
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int reason = errno;
    std::error_code ignored;
    if (reason == ENOENT && fs::is_symlink(path, ignored))
      throw_caller_error(
          "{}: is a link to {}, which does not exist; a download was "
          "interrupted or a cache cleaned: download it again",
          path.string(),
          fs::read_symlink(path, ignored).string());
    if (reason == ENOENT)
      throw_caller_error(
          "{}: there is no such file; check the path", path.string());
    throw_caller_error(
        "{}: cannot be read: {}", path.string(), std::strerror(reason));
  }
  return descriptor;
}

struct stat status_of(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0)
    throw_world_error(
        "{}: cannot be examined: {}", path.string(), std::strerror(errno));
  if (S_ISDIR(status.st_mode))
    throw_caller_error(
        "{}: is a directory where a file is needed", path.string());
  return status;
}

}  // namespace

void refuse_lfs_pointer(const fs::path& path, std::string_view text) {
  if (text.starts_with("version https://git-lfs.github.com/spec/"))
    throw_caller_error(
        "{}: is a Git LFS pointer, not the file itself; run `git lfs pull` in "
        "its repository, or download the file again",
        path.string());
  if (text.starts_with("../../blobs/") && text.size() < 200)
    throw_caller_error(
        "{}: holds the path of a file in a Hugging Face cache instead of being "
        "a link to it; copy the cache with its links (cp -a), or download the "
        "model again",
        path.string());
}

MappedFile::MappedFile(fs::path path) : path_(std::move(path)) {
  const Descriptor file(open_to_read(path_));
  const struct stat status = status_of(file, path_);
  if (!S_ISREG(status.st_mode))
    throw_caller_error(
        "{}: is not a regular file and cannot be memory-mapped; give a plain "
        "file",
        path_.string());
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED)
    throw_world_error(
        "{}: cannot be memory-mapped: {}",
        path_.string(),
        std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(address), size};
  try {
    refuse_lfs_pointer(path_, text());
  } catch (...) {
    ::munmap(address, size);
    throw;
  }
}

MappedFile::~MappedFile() {
  if (!bytes_.empty())
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::string_view MappedFile::text() const {
  return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
}

std::string read_text(const fs::path& path, std::uint64_t max_bytes) {
  const Descriptor file(open_to_read(path));
  const struct stat status = status_of(file, path);
  // Pipes are welcome here; wait for their writers.
  if (!S_ISREG(status.st_mode))
    ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) & ~O_NONBLOCK);
  std::string text;
  if (S_ISREG(status.st_mode))
    text.reserve(std::min<std::uint64_t>(status.st_size, max_bytes));
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = ::read(file.get(), buffer, sizeof(buffer));
    if (count == 0) {
      refuse_lfs_pointer(path, text);
      return text;
    }
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_world_error(
          "{}: cannot be read: {}", path.string(), std::strerror(errno));
    }
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > max_bytes)
      throw_caller_error(
          "{}: is larger than the {} bytes allowed for such a file",
          path.string(),
          max_bytes);
  }
}

void require_free_space(const fs::path& path, std::uint64_t bytes) {
  fs::path existing = fs::absolute(path).lexically_normal();
  std::error_code ignored;
  while (!fs::exists(existing, ignored) && existing.has_relative_path())
    existing = existing.parent_path();
  struct statvfs status {};
  if (::statvfs(existing.c_str(), &status) != 0)
    throw_world_error(
        "{}: the free space cannot be found out: {}",
        existing.string(),
        std::strerror(errno));
  // In double: block counts times block sizes may pass 64 bits on odd systems.
  const double available = static_cast<double>(status.f_bavail) *
                           static_cast<double>(status.f_frsize);
  if (available < static_cast<double>(bytes))
    throw_world_error(
        "{}: {} bytes are needed and {:.0f} are free on that disk; make room "
        "or write elsewhere",
        path.string(),
        bytes,
        available);
}

void copy_whole_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error == std::errc::file_exists)
    throw_caller_error(
        "{}: exists already and will not be overwritten", to.string());
  if (error) {
    const std::string reason = error.message();
    fs::remove(to, error);
    throw_world_error(
        "{}: cannot be copied to {}: {}", from.string(), to.string(), reason);
  }
  flush_to_disk(to);
}

bool hard_link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const fs::path source = fs::canonical(from, error);
  if (error)
    throw_caller_error(
        "{}: cannot be linked or copied: {}", from.string(), error.message());
  fs::create_hard_link(source, to, error);
  if (!error) return true;
  if (error == std::errc::file_exists)
    throw_caller_error(
        "{}: exists already and will not be overwritten", to.string());
  // Another file system, no links there, or too many: a copy does as well.
  copy_whole_file(source, to);
  return false;
}

std::string hash_bytes(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_file(const fs::path& path) {
  return hash_bytes(MappedFile(path).bytes());
}

}  // namespace moft
