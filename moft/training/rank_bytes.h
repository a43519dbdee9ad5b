// Numbers, lists and tensors as the bytes that ranks send one another. All
// ranks run one program, so bytes are read as they were written.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

class BytesWriter {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    raw(&value, sizeof value);
  }

  // Its items are numbers or characters.
  template <typename List>
  void list(const List& values) {
    number(static_cast<std::uint64_t>(values.size()));
    raw(values.data(), values.size() * sizeof(typename List::value_type));
  }

  // On the CPU; of type double. Its shape is written too.
  void tensor(const at::Tensor& values) {
    list(values.sizes().vec());
    const at::Tensor plain = values.contiguous();
    raw(plain.const_data_ptr<double>(), plain.nbytes());
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

  at::Tensor tensor() {
    const auto shape = list<std::vector<std::int64_t>>();
    at::Tensor values = at::empty(shape, at::kDouble);
    raw(values.mutable_data_ptr<double>(), values.nbytes());
    return values;
  }

 private:
  void raw(void* data, std::size_t size) {
    TORCH_CHECK(left_.size() >= size, "[rank_bytes] too few bytes");
    if (size > 0) std::memcpy(data, left_.data(), size);
    left_.remove_prefix(size);
  }

  std::string_view left_;
};

}  // namespace moft
