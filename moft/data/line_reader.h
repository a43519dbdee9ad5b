// The lines of a text file, plain or compressed with gzip.
//
// What counts is how the file begins, not what it is called. A file of several
// gzip members (`cat a.gz b.gz`) is read to its end.
//
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <string>

struct gzFile_s;

namespace moft {

class LineReader {
 public:
  // CallerError for a folder, a missing or an unreadable file.
  explicit LineReader(const std::filesystem::path& path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its '\n'; false at the end. CallerError for damaged
  // or cut off gzip data, WorldError when the disk fails.
  bool next(std::string& line);

 private:
  bool fill();

  std::string path_;
  gzFile_s* file_ = nullptr;
  std::string buffer_;
  std::size_t at_ = 0;  // first unread byte of buffer_
};

}  // namespace moft
