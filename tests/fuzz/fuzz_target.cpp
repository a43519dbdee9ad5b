#include "fuzz_target.h"

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "moft/core/errors.h"

namespace moft::fuzz {
namespace {

namespace fs = std::filesystem;

void write_all(int descriptor, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) throw std::runtime_error("fuzz: write failed");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

struct Folder {
  Folder() {
    // Memory where there is some: thousands of files a second.
    std::string pattern =
        (::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm")
                                         : fs::temp_directory_path()) /
        "moft-fuzz-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("fuzz: mkdtemp failed");
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

}  // namespace

fs::path memory_file(std::span<const std::uint8_t> bytes) {
  static const int descriptor = ::memfd_create("fuzz", 0);
  if (descriptor < 0) throw std::runtime_error("fuzz: memfd_create failed");
  if (::ftruncate(descriptor, 0) != 0 || ::lseek(descriptor, 0, SEEK_SET) != 0)
    throw std::runtime_error("fuzz: truncation failed");
  write_all(descriptor, bytes);
  return "/proc/self/fd/" + std::to_string(descriptor);
}

const fs::path& scratch_folder() {
  static const Folder folder;
  return folder.path;
}

void put(const fs::path& path, std::span<const std::uint8_t> bytes) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::runtime_error("fuzz: cannot write");
  write_all(descriptor, bytes);
  ::close(descriptor);
}

void refusals_are_fine(
    void (*parse)(std::span<const std::uint8_t>),
    std::span<const std::uint8_t> bytes) {
  try {
    parse(bytes);
  } catch (const CallerError&) {
  } catch (const WorldError&) {
  }
}

}  // namespace moft::fuzz
