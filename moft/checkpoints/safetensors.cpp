// Reads and checks safetensors files.
#include "moft/checkpoints/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/json_text.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/checkpoints/wrong_file.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
// safetensors' own limit, against headers that eat the memory.
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr auto kMetadataKey = "__metadata__";

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// The header's text; throws unless it lies inside the file.
std::string_view header_text(const MappedFile& file) {
  const std::string_view text = file.text();
  const std::string where = file.path().string();
  if (text.size() < kLengthBytes)
    throw_caller_error(
        "{}: is too short ({} bytes) for a safetensors file; download it again",
        where,
        text.size());
  std::uint64_t length = 0;
  std::memcpy(&length, text.data(), sizeof(length));
  if (length > kLongestHeader)
    throw_caller_error(
        "{}: claims a header of {} bytes, more than the {} that safetensors "
        "allows; it is not a safetensors file or is damaged{}",
        where,
        length,
        kLongestHeader,
        guess_file_kind(file.bytes()));
  if (length > text.size() - kLengthBytes)
    throw_caller_error(
        "{}: claims a header of {} bytes but ends after {}; it is truncated, "
        "download it again",
        where,
        length,
        text.size() - kLengthBytes);
  return text.substr(kLengthBytes, length);
}

// Reads what one header entry claims about one tensor.
class Entry {
 public:
  Entry(const std::string& where, const std::string& name, const json& claims)
      : what_(fmt::format("{}: tensor {}", where, quote_text(name))),
        claims_(claims) {
    if (!claims.is_object())
      throw_caller_error("{} is not described by an object", what_);
    for (const auto& [key, value] : claims.items())
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        throw_caller_error(
            "{} has an unknown field {}", what_, quote_text(key));
  }

  TensorType type() const {
    const json& value = field("dtype");
    if (!value.is_string())
      throw_caller_error("{}: dtype is not a string", what_);
    const auto& text = value.get_ref<const std::string&>();
    const auto* info = find_safetensors_type(text);
    if (info == nullptr)
      throw_caller_error(
          "{} has dtype {}, which moft does not read; convert it to F32, F16 "
          "or BF16",
          what_,
          quote_text(text));
    return info->type;
  }

  std::vector<std::int64_t> shape() const {
    std::vector<std::int64_t> sizes;
    for (const json& size : list("shape")) {
      const std::uint64_t value = whole_number(size, "shape");
      if (value > static_cast<std::uint64_t>(INT64_MAX))
        throw_caller_error("{}: the size {} overflows", what_, value);
      sizes.push_back(static_cast<std::int64_t>(value));
    }
    return sizes;
  }

  Range range(std::uint64_t available) const {
    const json& pair = list("data_offsets");
    if (pair.size() != 2)
      throw_caller_error("{}: data_offsets is not a pair", what_);
    const Range range{
        whole_number(pair[0], "data_offsets"),
        whole_number(pair[1], "data_offsets")};
    if (range.begin > range.end)
      throw_caller_error(
          "{}: its data starts at {}, after its end {}",
          what_,
          range.begin,
          range.end);
    if (range.end > available)
      throw_caller_error(
          "{}: its data ends at {}, outside the file, which holds {} bytes of "
          "data; the file is truncated, download it again",
          what_,
          range.end,
          available);
    return range;
  }

  const std::string& what() const { return what_; }

 private:
  const json& field(const char* key) const {
    const auto found = claims_.find(key);
    if (found == claims_.end())
      throw_caller_error("{} lacks {}", what_, quote_text(key));
    return *found;
  }

  const json& list(const char* key) const {
    const json& value = field(key);
    if (!value.is_array())
      throw_caller_error("{}: {} is not a list", what_, key);
    return value;
  }

  std::uint64_t whole_number(const json& value, const char* key) const {
    // Numbers past 64 bits arrive as floating point and fail here as well.
    if (!value.is_number_unsigned())
      throw_caller_error(
          "{}: {} holds {}, which is not a non-negative whole number of 64 "
          "bits",
          what_,
          key,
          quote_text(value.dump()));
    return value.get<std::uint64_t>();
  }

  std::string what_;
  const json& claims_;
};

Metadata read_metadata(const std::string& where, const json& value) {
  if (!value.is_object())
    throw_caller_error("{}: {} is not an object", where, kMetadataKey);
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string())
      throw_caller_error(
          "{}: entry {} of {} is not a text",
          where,
          quote_text(key),
          kMetadataKey);
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

// The tensors must tile the data: in order, no overlap, no hole, no rest.
void check_tiling(
    const std::string& where,
    const std::vector<std::pair<Range, std::string>>& order,
    std::uint64_t available) {
  std::uint64_t reached = 0;
  for (const auto& [range, name] : order) {
    if (range.begin < reached)
      throw_caller_error(
          "{}: the data of tensor {} overlaps another tensor's",
          where,
          quote_text(name));
    if (range.begin > reached)
      throw_caller_error(
          "{}: there is a hole of {} bytes before tensor {}",
          where,
          range.begin - reached,
          quote_text(name));
    reached = range.end;
  }
  if (reached != available)
    throw_caller_error(
        "{}: {} bytes after the last tensor belong to no tensor (a hole); the "
        "file is damaged, download it or save the model again",
        where,
        available - reached);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path) {
  const std::string where = describe();
  const std::string_view text = header_text(file_);
  const json header = parse_json_object(text, where + " (header)");
  const auto data = file_.bytes().subspan(kLengthBytes + text.size());
  std::vector<std::pair<Range, std::string>> order;
  for (const auto& [name, claims] : header.items()) {
    if (name == kMetadataKey) {
      metadata_ = read_metadata(where, claims);
      continue;
    }
    const Entry entry(where, name, claims);
    TensorView view{name, entry.type(), entry.shape(), {}};
    const Range range = entry.range(data.size());
    const auto size = tensor_byte_count(view.type, view.shape);
    if (!size)
      throw_caller_error(
          "{}: the product of its shape overflows", entry.what());
    if (*size != range.end - range.begin)
      throw_caller_error(
          "{}: its shape and dtype need {} bytes but data_offsets gives {}",
          entry.what(),
          *size,
          range.end - range.begin);
    view.bytes = data.subspan(range.begin, *size);
    order.emplace_back(range, name);
    tensors_.emplace(name, std::move(view));
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.begin, a.first.end, a.second) <
           std::tie(b.first.begin, b.first.end, b.second);
  });
  check_tiling(where, order, data.size());
  for (auto& [range, name] : order)
    names_.push_back(std::move(name));
}

std::optional<TensorView> SafetensorsFile::find(std::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) return {};
  return found->second;
}

}  // namespace moft
