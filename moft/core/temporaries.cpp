// Temporary names and their locks.
#include "moft/core/temporaries.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".tmp-";
constexpr std::time_t kSecondsOfADay = 24 * 60 * 60;

// Eight letters of the running kernel's id; "unknown" where there is none.
const std::string& boot_name() {
  static const std::string name = [] {
    std::string id;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
    return id.size() < 8 ? std::string("unknown") : id.substr(0, 8);
  }();
  return name;
}

// Temporaries of this process, for file systems without locks.
class LiveTemporaries {
 public:
  fs::path add(const fs::path& target) {
    const std::lock_guard lock(mutex_);
    const auto name = fmt::format(
        ".{}{}{}-{}-{}",
        target.filename().string(),
        kMark,
        ::getpid(),
        count_++,
        boot_name());
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

struct Owner {
  pid_t process = 0;
  std::string boot;  // empty: the name is an earlier version's
};

// Whom a temporary's name belongs to; none for any other name.
std::optional<Owner> owner_of(const std::string& name) {
  const auto mark = name.rfind(kMark);
  if (name.empty() || name[0] != '.' || mark == std::string::npos) return {};
  const char* first = name.data() + mark + kMark.size();
  const char* last = name.data() + name.size();
  Owner owner;
  const auto [end, error] = std::from_chars(first, last, owner.process);
  if (error != std::errc() || owner.process <= 0) return {};
  if (end != last && *end != '-') return {};
  const std::string rest(end, last);
  const auto boot = rest.find('-', 1);
  if (boot != std::string::npos) owner.boot = rest.substr(boot + 1);
  return owner;
}

enum class Lock { kTaken, kHeldByOther, kUnknown };

// The lock is given back when the object dies.
class Probe {
 public:
  explicit Probe(const fs::path& path) {
    constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    descriptor_ = ::open(path.c_str(), O_RDWR | kFlags);
    if (descriptor_ < 0) descriptor_ = ::open(path.c_str(), O_RDONLY | kFlags);
  }
  ~Probe() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  Lock lock() const {
    if (descriptor_ < 0) return Lock::kUnknown;
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return Lock::kTaken;
    return errno == EWOULDBLOCK ? Lock::kHeldByOther : Lock::kUnknown;
  }

 private:
  int descriptor_ = -1;
};

bool is_old(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 &&
         status.st_mtime + kSecondsOfADay < std::time(nullptr);
}

bool is_gone(pid_t process) {
  if (process == ::getpid()) return true;  // an earlier process of our id
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

bool is_stale(const fs::path& path, const Owner& owner, Lock lock) {
  if (lock == Lock::kHeldByOther) return false;
  if (live_temporaries().holds(path.filename().string())) return false;
  if (owner.boot.empty()) return is_gone(owner.process);
  const bool ours = owner.boot == boot_name() && owner.boot != "unknown";
  return (ours && lock == Lock::kTaken) || is_old(path);
}

}  // namespace

Temporary::Temporary(const fs::path& target, Kind kind) {
  // A cleaner may take a fresh one for a dead process's: then another name.
  for (int attempt = 0; attempt < 100; ++attempt) {
    path_ = live_temporaries().add(target);
    if (!make(kind) || lock()) return;
    remove();
  }
  reason_ = EBUSY;
}

Temporary::~Temporary() {
  remove();
}

bool Temporary::make(Kind kind) {
  if (kind == Kind::kFile) {
    descriptor_ =
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    reason_ = descriptor_ < 0 ? errno : 0;
  } else {
    reason_ = ::mkdir(path_.c_str(), 0777) == 0 ? 0 : errno;
    if (reason_ == 0)
      descriptor_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  if (reason_ != 0) {
    live_temporaries().remove(path_);
    path_.clear();
  }
  return reason_ == 0;
}

// False when it was taken away in the meantime.
bool Temporary::lock() const {
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 &&
      errno == EWOULDBLOCK) {
    return false;
  }
  struct stat named {
  }, opened{};
  if (::stat(path_.c_str(), &named) != 0) return false;
  return descriptor_ < 0 || ::fstat(descriptor_, &opened) != 0 ||
         (named.st_ino == opened.st_ino && named.st_dev == opened.st_dev);
}

void Temporary::remove() noexcept {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  release();
}

void Temporary::release() noexcept {
  if (!path_.empty()) live_temporaries().remove(path_);
  path_.clear();
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void remove_whole_directory(const fs::path& directory) {
  const fs::path doomed = live_temporaries().add(directory);
  std::error_code error;
  fs::rename(directory, doomed, error);
  if (!error) fs::remove_all(doomed, error);
  std::error_code ignored;
  const bool left = fs::exists(doomed, ignored);
  live_temporaries().remove(doomed);
  // Another process may help with the removal.
  if (error && (left || fs::exists(directory, ignored))) {
    throw_world_error(
        "{}: cannot be removed: {}", directory.string(), error.message());
  }
}

void remove_stale(const fs::path& directory, const std::string& target) {
  const std::string prefix =
      target.empty() ? "." : fmt::format(".{}{}", target, kMark);
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end;
       !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const auto owner = owner_of(name);
    if (!name.starts_with(prefix) || !owner) continue;
    std::error_code ignored;
    if (entry->is_symlink(ignored)) continue;
    const Probe probe(entry->path());
    if (is_stale(entry->path(), *owner, probe.lock()))
      fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace moft
