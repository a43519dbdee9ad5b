#include "moft/data/line_reader.h"

#include <zlib.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

}  // namespace

LineReader::LineReader(const std::filesystem::path& path)
    : path_(path.string()) {
  if (std::filesystem::is_directory(path)) {
    throw_caller_error(
        "{}: is a folder; give a file of JSON lines, or a pattern such as "
        "'{}/*.jsonl'",
        path_,
        path_);
  }
  file_ = ::gzopen(path_.c_str(), "rb");
  if (!file_) {
    throw_caller_error("{}: cannot be read; give a file of JSON lines", path_);
  }
  ::gzbuffer(file_, kBufferBytes);
}

LineReader::~LineReader() {
  if (file_) ::gzclose(file_);
}

bool LineReader::fill() {
  buffer_.resize(kBufferBytes);
  const int got = ::gzread(file_, buffer_.data(), kBufferBytes);
  int error = Z_OK;
  const char* words = ::gzerror(file_, &error);
  if (error == Z_ERRNO) {
    throw_world_error("{}: reading failed half way", path_);
  }
  if (got < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    throw_caller_error(
        "{}: the gzip data is damaged or cut off ({}); download or compress "
        "the file again",
        path_,
        error == Z_BUF_ERROR ? "unexpected end" : words);
  }
  buffer_.resize(static_cast<std::size_t>(got));
  at_ = 0;
  return got > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  bool any = false;
  while (at_ < buffer_.size() || fill()) {
    any = true;
    const std::size_t end = buffer_.find('\n', at_);
    line.append(buffer_, at_, end == std::string::npos ? end : end - at_);
    at_ = end == std::string::npos ? buffer_.size() : end + 1;
    if (end != std::string::npos) return true;
  }
  return any;
}

}  // namespace moft
