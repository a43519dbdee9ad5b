// A log that only grows: whole records, a known length.
//
// A checkpoint remembers the length; resuming cuts off what came later, so a
// log always tells one story however often the run was stopped.
//
// Errors: WorldError for what the disk refuses; the record is then not there,
// not even in part (as far as the system lets us cut it off again).
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace moft {

// CallerError when the file is shorter than `length` (a missing one has none),
// WorldError when it cannot be written.
void check_length(const std::filesystem::path& path, std::uint64_t length);

class AppendFile {
 public:
  // Makes the file or opens it, and cuts it to `length` bytes. CallerError
  // when it is shorter than that.
  AppendFile(std::filesystem::path path, std::uint64_t length);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view record);
  // Returns once everything is on the disk.
  void flush();
  std::uint64_t length() const { return length_; }

 private:
  [[noreturn]] void fail(int reason) const;

  std::filesystem::path path_;
  std::uint64_t length_;
  int descriptor_ = -1;
};

}  // namespace moft
