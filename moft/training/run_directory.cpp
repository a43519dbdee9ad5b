#include "moft/training/run_directory.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/training/metrics_writer.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// Checkpoints first: a removal cut short must leave nothing to resume from.
constexpr const char* kRunFiles[] = {
    "checkpoints",
    "policy",
    kModelDirectory,
    "report",
    kRecipeFile,
    kMetricsFile,
    kSamplesFile,
    kEventFile};

}  // namespace

bool holds_run(const fs::path& directory) {
  for (const char* name : kRunFiles) {
    if (fs::exists(directory / name)) return true;
  }
  return false;
}

void remove_run(const fs::path& directory) {
  for (const char* name : kRunFiles) {
    std::error_code error;
    const fs::path path = directory / name;
    if (!fs::exists(path, error)) continue;
    const fs::path doomed =
        directory / fmt::format(".{}.tmp-{}-removed", name, ::getpid());
    fs::rename(path, doomed, error);
    if (!error) fs::remove_all(doomed, error);
    if (error) {
      throw_world_error(
          "{}: cannot be removed: {}", path.string(), error.message());
    }
  }
}

RunLock::RunLock(const fs::path& directory) {
  ensure_writable_directory(directory);
  const fs::path path = directory / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  if (descriptor_ >= 0) ::close(descriptor_);
  // A file system without locks must not keep anybody from training.
  if (descriptor_ >= 0 && reason != EWOULDBLOCK) {
    descriptor_ = -1;
    return;
  }
  if (reason == EWOULDBLOCK) {
    throw_caller_error(
        "{}: another moft process is training there; wait for it or choose "
        "another output",
        directory.string());
  }
  throw_world_error(
      "{}: cannot be written: {}", path.string(), std::strerror(reason));
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace moft
