// Files that only grow.
#include "moft/training/append_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

[[noreturn]] void throw_too_short(
    const std::filesystem::path& path,
    std::uint64_t found,
    std::uint64_t length) {
  throw_caller_error(
      "{}: has {} bytes, but the checkpoint was saved when it had {}; put "
      "the file back, or start afresh with --overwrite",
      path.string(),
      found,
      length);
}

}  // namespace

void check_length(const std::filesystem::path& path, std::uint64_t length) {
  std::error_code missing;
  const auto found = std::filesystem::file_size(path, missing);
  if ((missing ? 0 : found) < length)
    throw_too_short(path, missing ? 0 : found, length);
  if (!missing && ::access(path.c_str(), W_OK) != 0) {
    throw_world_error(
        "{}: cannot be written: {}", path.string(), std::strerror(errno));
  }
}

AppendFile::AppendFile(std::filesystem::path path, std::uint64_t length)
    : path_(std::move(path)), length_(length) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(errno);
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  const int reason = errno;
  const auto found = static_cast<std::uint64_t>(status.st_size);
  const bool cut = known && found >= length_ &&
                   ::ftruncate(descriptor_, static_cast<off_t>(length_)) == 0;
  if (cut && ::lseek(descriptor_, 0, SEEK_END) >= 0) return;
  ::close(descriptor_);
  if (known && found < length_) throw_too_short(path_, found, length_);
  fail(known ? errno : reason);
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view record) {
  std::string_view rest = record;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int reason = errno;
      const auto whole = static_cast<off_t>(length_);
      if (::ftruncate(descriptor_, whole) == 0)
        ::lseek(descriptor_, whole, SEEK_SET);
      fail(reason);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  length_ += record.size();
}

void AppendFile::flush() {
  if (::fsync(descriptor_) != 0) fail(errno);
}

void AppendFile::fail(int reason) const {
  throw_world_error(
      "{}: cannot be written: {}", path_.string(), std::strerror(reason));
}

}  // namespace moft
