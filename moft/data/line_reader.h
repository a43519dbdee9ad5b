// The lines of a text file, plain or compressed with gzip.
//
// What counts is how the file begins, not what it is called. A file of several
// gzip members (`cat a.gz b.gz`) is read to its end; zeros after a member,
// which fill up the blocks of a tape, are skipped.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace moft {

class LineReader {
 public:
  // CallerError for a folder, a missing or an unreadable file.
  explicit LineReader(const std::filesystem::path& path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its '\n'; false at the end. CallerError for gzip data
  // that is damaged, cut off or followed by something else, WorldError when the
  // disk fails.
  bool next(std::string& line);

 private:
  struct Gzip;

  bool fill();
  bool read_input();
  bool inflate_some();
  bool skip_to_member();

  std::string path_;
  std::ifstream file_;
  std::string input_;           // the bytes of the file that were read last
  std::unique_ptr<Gzip> gzip_;  // none for a plain file
  std::string buffer_;          // text
  std::size_t at_ = 0;          // first unread byte of buffer_
};

}  // namespace moft
