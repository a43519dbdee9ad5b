// Reading, linking, copying and hashing files. Writing is in atomic_files.h.
//
// Errors: CallerError for a path that was given wrongly (missing, a directory
// where a file is needed); WorldError, with path and the system's own words,
// for what the machine refuses (full disk, permission).
//
// Thread safety: free functions may be called from any thread; an object
// belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace moft {

// A whole regular file, mapped read-only. The bytes live as long as the object
// (moving keeps them in place). A file that somebody truncates while it is
// mapped kills the process (SIGBUS): moft itself only ever replaces files.
class MappedFile {
 public:
  // Throws CallerError when `path` is missing, unreadable or not a regular
  // file; WorldError when the system cannot map it.
  explicit MappedFile(std::filesystem::path path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

// CallerError when `text`, the beginning of the file at `path` or more of it,
// stands for a file that is not there: a Git LFS pointer, or a link of a cache
// that was copied as text. MappedFile and read_text() ask this of every file.
void refuse_lfs_pointer(
    const std::filesystem::path& path, std::string_view text);

// The content of a file or pipe; CallerError above `max_bytes`.
std::string read_text(
    const std::filesystem::path& path,
    std::uint64_t max_bytes = std::uint64_t{1} << 30);

// WorldError unless the file system that holds (or would hold) `path` has
// `bytes` free for us.
void require_free_space(const std::filesystem::path& path, std::uint64_t bytes);

// True when hard-linked, false when copied (another file system, or one without
// links). `to` must not exist yet. Symbolic links in `from` are followed.
bool hard_link_or_copy(
    const std::filesystem::path& from, const std::filesystem::path& to);

// A copy that no later change of `from` reaches. `to` must not exist yet.
void copy_whole_file(
    const std::filesystem::path& from, const std::filesystem::path& to);

// 32 hexadecimal digits of XXH3-128 (canonical order, as `xxh128sum` prints):
// equal content, equal hash. Against accidents, not against forgers.
std::string hash_bytes(std::span<const std::byte> bytes);
std::string hash_file(const std::filesystem::path& path);

}  // namespace moft
