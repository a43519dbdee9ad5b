// The writing half of gguf.h.
#include "moft/checkpoints/gguf_writer.h"

#include <set>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kAlignment = 32;

template <typename T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void put_text(std::string& bytes, std::string_view text) {
  put(bytes, static_cast<std::uint64_t>(text.size()));
  bytes.append(text);
}

std::uint64_t aligned(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

std::uint64_t byte_count(
    const std::string& where, const SafetensorsEntry& tensor) {
  const auto bytes = tensor_byte_count(tensor.type, tensor.shape);
  if (bytes && tensor_type_info(tensor.type).gguf_code) return *bytes;
  throw_caller_error(
      "{}: tensor {} cannot be written as {}; choose another type",
      where,
      quote_text(tensor.name),
      tensor_type_info(tensor.type).name);
}

// Name, shape, type and place of each tensor.
std::string tensor_table(
    const std::string& where,
    const std::vector<SafetensorsEntry>& tensors,
    std::vector<std::uint64_t>& sizes) {
  std::string table;
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const SafetensorsEntry& tensor : tensors) {
    if (!names.insert(tensor.name).second)
      throw_caller_error(
          "{}: duplicate tensor name {}", where, quote_text(tensor.name));
    sizes.push_back(byte_count(where, tensor));
    put_text(table, tensor.name);
    put(table, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      put(table, static_cast<std::uint64_t>(*size));
    put(table, *tensor_type_info(tensor.type).gguf_code);
    put(table, offset);
    offset += aligned(sizes.back());
  }
  return table;
}

}  // namespace

void GgufValues::begin(std::string_view key, GgufType type) {
  put_text(bytes_, key);
  put(bytes_, static_cast<std::uint32_t>(type));
  ++count_;
}

void GgufValues::begin_array(
    std::string_view key, GgufType type, std::size_t count) {
  begin(key, GgufType::kArray);
  put(bytes_, static_cast<std::uint32_t>(type));
  put(bytes_, static_cast<std::uint64_t>(count));
}

void GgufValues::add_text(std::string_view key, std::string_view value) {
  begin(key, GgufType::kString);
  put_text(bytes_, value);
}

void GgufValues::add_u32(std::string_view key, std::int64_t value) {
  begin(key, GgufType::kU32);
  put(bytes_, static_cast<std::uint32_t>(value));
}

void GgufValues::add_i32(std::string_view key, std::int64_t value) {
  begin(key, GgufType::kI32);
  put(bytes_, static_cast<std::int32_t>(value));
}

void GgufValues::add_f32(std::string_view key, double value) {
  begin(key, GgufType::kF32);
  put(bytes_, static_cast<float>(value));
}

void GgufValues::add_bool(std::string_view key, bool value) {
  begin(key, GgufType::kBool);
  put(bytes_, static_cast<std::uint8_t>(value));
}

void GgufValues::add_texts(
    std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::kString, values.size());
  for (const std::string& value : values)
    put_text(bytes_, value);
}

void GgufValues::add_i32s(
    std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, GgufType::kI32, values.size());
  for (const std::int32_t value : values)
    put(bytes_, value);
}

void GgufValues::append(const GgufValues& more) {
  count_ += more.count_;
  bytes_ += more.bytes_;
}

void GgufValues::add_f32s(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::kF32, values.size());
  for (const float value : values)
    put(bytes_, value);
}

void write_gguf(
    const std::filesystem::path& path,
    const GgufValues& values,
    const std::vector<SafetensorsEntry>& tensors) {
  const std::string where = path.string();
  std::vector<std::uint64_t> sizes;
  std::string header = "GGUF";
  put(header, kVersion);
  put(header, static_cast<std::uint64_t>(tensors.size()));
  put(header, values.count());
  header += values.bytes();
  header += tensor_table(where, tensors, sizes);
  header.resize(aligned(header.size()), '\0');
  std::uint64_t total = header.size();
  for (const std::uint64_t size : sizes)
    total += aligned(size);
  require_free_space(path, total);

  AtomicFile file(path);
  file.write(header);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto bytes = tensors[i].bytes();
    if (bytes.size() != sizes[i])
      throw_caller_error(
          "{}: tensor {} needs {} bytes and was given {}",
          where,
          quote_text(tensors[i].name),
          sizes[i],
          bytes.size());
    file.write(bytes);
    file.write(std::string(aligned(sizes[i]) - sizes[i], '\0'));
  }
  file.commit();
}

}  // namespace moft
