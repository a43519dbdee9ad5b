// Reads lines from plain and gzip files.
#include "moft/data/line_reader.h"

#include <new>
#include <string_view>

#include <zlib.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;
constexpr std::string_view kGzipMagic = "\x1f\x8b";

[[noreturn]] void throw_not_gzip(const std::string& path) {
  throw_caller_error(
      "{}: bytes after the gzip data are not gzip data; compress the file "
      "again",
      path);
}

[[noreturn]] void throw_damaged(
    const std::string& path, const std::string& fault) {
  throw_caller_error(
      "{}: the gzip data is damaged or cut off ({}); download or compress the "
      "file again",
      path,
      fault);
}

}  // namespace

// zlib's gzread() silently ignores what follows a member if it is not gzip
// data, so members are told apart here.
struct LineReader::Gzip {
  Gzip() {
    if (::inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() { ::inflateEnd(&stream); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  z_stream stream{};
  bool first = true;     // in the first member
  bool between = false;  // a member has ended, the next has not begun
};

LineReader::LineReader(const std::filesystem::path& path)
    : path_(path.string()) {
  if (std::filesystem::is_directory(path)) {
    throw_caller_error(
        "{}: is a folder; give a file of JSON lines, or a pattern such as "
        "'{}/*.jsonl'",
        path_,
        path_);
  }
  file_.open(path, std::ios::binary);
  if (!file_) {
    throw_caller_error("{}: cannot be read; give a file of JSON lines", path_);
  }
  read_input();
  if (!input_.starts_with(kGzipMagic)) return;
  gzip_ = std::make_unique<Gzip>();
  gzip_->stream.next_in = reinterpret_cast<Bytef*>(input_.data());
  gzip_->stream.avail_in = static_cast<uInt>(input_.size());
}

LineReader::~LineReader() = default;

bool LineReader::read_input() {
  input_.resize(kBufferBytes);
  file_.read(input_.data(), static_cast<std::streamsize>(kBufferBytes));
  if (file_.bad()) throw_world_error("{}: reading failed half way", path_);
  input_.resize(static_cast<std::size_t>(file_.gcount()));
  return !input_.empty();
}

bool LineReader::fill() {
  at_ = 0;
  if (gzip_) return inflate_some();
  if (input_.empty()) read_input();
  buffer_.swap(input_);
  input_.clear();
  return !buffer_.empty();
}

bool LineReader::inflate_some() {
  buffer_.resize(kBufferBytes);
  z_stream& stream = gzip_->stream;
  stream.next_out = reinterpret_cast<Bytef*>(buffer_.data());
  stream.avail_out = static_cast<uInt>(kBufferBytes);
  while (stream.avail_out == kBufferBytes) {
    if (stream.avail_in == 0) {
      if (!read_input()) {
        if (!gzip_->between) throw_damaged(path_, "unexpected end");
        buffer_.clear();
        return false;
      }
      stream.next_in = reinterpret_cast<Bytef*>(input_.data());
      stream.avail_in = static_cast<uInt>(input_.size());
    }
    if (gzip_->between && !skip_to_member()) continue;
    const int status = ::inflate(&stream, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      gzip_->between = true;
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      // The two bytes that every member begins with are others.
      if (!gzip_->first && stream.total_in <= kGzipMagic.size())
        throw_not_gzip(path_);
      throw_damaged(path_, stream.msg ? stream.msg : "not gzip data");
    }
  }
  buffer_.resize(kBufferBytes - stream.avail_out);
  return true;
}

// Whether a member begins in what is left of the input.
bool LineReader::skip_to_member() {
  z_stream& stream = gzip_->stream;
  while (stream.avail_in > 0 && *stream.next_in == 0) {
    ++stream.next_in;
    --stream.avail_in;
  }
  if (stream.avail_in == 0) return false;
  if (*stream.next_in != static_cast<unsigned char>(kGzipMagic.front()))
    throw_not_gzip(path_);
  ::inflateReset(&stream);
  gzip_->first = false;
  gzip_->between = false;
  return true;
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
