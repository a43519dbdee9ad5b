// A reading position in bytes that are not trusted (private to gguf*.cpp).
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "moft/core/errors.h"

namespace moft {

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  template <typename T>
  T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  // `count` bytes, or a CallerError that says which thing was cut off.
  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > remaining())
      throw_caller_error(
          "{}: {} claims {} bytes at offset {} but only {} remain; the file is "
          "truncated or damaged, download it again",
          where_,
          what,
          count,
          offset_,
          remaining());
    const auto taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
  }

  std::string_view text(std::string_view what) {
    const auto length = read<std::uint64_t>(what);
    const auto taken = take(length, what);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return bytes_.size() - offset_; }
  const std::string& where() const { return where_; }
  // The bytes from `begin` to here.
  std::span<const std::byte> since(std::uint64_t begin) const {
    return bytes_.subspan(begin, offset_ - begin);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  std::uint64_t offset_ = 0;
};

}  // namespace moft
