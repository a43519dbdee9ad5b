// Numbers and lists as the bytes that ranks send one another. All ranks run one
// program, so bytes are read as they were written.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace moft {

class BytesWriter {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    raw(&value, sizeof value);
  }

  // Its items are numbers, characters, or made of these alone.
  template <typename List>
  void list(const List& values) {
    static_assert(std::is_trivially_copyable_v<typename List::value_type>);
    number(static_cast<std::uint64_t>(values.size()));
    raw(values.data(), values.size() * sizeof(typename List::value_type));
  }

  std::string_view bytes() const { return bytes_; }

 private:
  void raw(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }

  std::string bytes_;
};

class BytesReader {
 public:
  // `bytes` must outlive it.
  explicit BytesReader(std::string_view bytes) : left_(bytes) {}

  template <typename T>
  T number() {
    T value;
    raw(&value, sizeof value);
    return value;
  }

  template <typename List>
  List list() {
    List values(number<std::uint64_t>(), typename List::value_type());
    raw(values.data(), values.size() * sizeof(typename List::value_type));
    return values;
  }

 private:
  void raw(void* data, std::size_t size) {
    if (left_.size() < size) throw std::logic_error("[bytes] too few of them");
    if (size > 0) std::memcpy(data, left_.data(), size);
    left_.remove_prefix(size);
  }

  std::string_view left_;
};

}  // namespace moft
