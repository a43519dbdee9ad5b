// Reads and checks GGUF files.
#include "moft/checkpoints/gguf.h"

#include <algorithm>
#include <array>
#include <bit>

#include <fmt/format.h>

#include "moft/checkpoints/gguf_cursor.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/checkpoints/wrong_file.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kMostDimensions = 4;   // ggml's own limit
constexpr std::int64_t kMostParts = 99999;     // five digits in a name
constexpr std::uint64_t kLongestName = 65535;  // of a key, per the format
// The least room that one entry takes: what a count can truthfully claim.
constexpr std::uint64_t kLeastValueBytes = 8 + 4 + 1;
constexpr std::uint64_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;

struct MetadataTypeInfo {
  GgufType type;
  std::string_view name;
  std::uint64_t bytes;  // of one element; 0 when it varies
};

constexpr std::array<MetadataTypeInfo, 13> kMetadataTypes = {{
    {GgufType::kU8, "u8", 1},
    {GgufType::kI8, "i8", 1},
    {GgufType::kU16, "u16", 2},
    {GgufType::kI16, "i16", 2},
    {GgufType::kU32, "u32", 4},
    {GgufType::kI32, "i32", 4},
    {GgufType::kF32, "f32", 4},
    {GgufType::kBool, "bool", 1},
    {GgufType::kString, "string", 0},
    {GgufType::kArray, "array", 0},
    {GgufType::kU64, "u64", 8},
    {GgufType::kI64, "i64", 8},
    {GgufType::kF64, "f64", 8},
}};

// Tensor types of ggml that moft does not read, for the message.
struct ForeignType {
  std::uint32_t code;
  std::string_view name;
};
constexpr std::array<ForeignType, 20> kForeign = {{
    {9, "Q8_1"},     {10, "Q2_K"},     {11, "Q3_K"},     {15, "Q8_K"},
    {16, "IQ2_XXS"}, {17, "IQ2_XS"},   {18, "IQ3_XXS"},  {19, "IQ1_S"},
    {20, "IQ4_NL"},  {21, "IQ3_S"},    {22, "IQ2_S"},    {23, "IQ4_XS"},
    {29, "IQ1_M"},   {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"},
    {34, "TQ1_0"},   {35, "TQ2_0"},    {39, "MXFP4"},    {40, "NVFP4"},
}};

GgufType read_type(GgufCursor& cursor, std::string_view what) {
  const auto code = cursor.read<std::uint32_t>("a metadata type");
  if (code >= kMetadataTypes.size())
    throw_caller_error(
        "{}: {} has the unknown metadata type {}", cursor.where(), what, code);
  return static_cast<GgufType>(code);
}

void check_booleans(
    const GgufCursor& cursor,
    std::string_view what,
    std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes)
    if (byte != std::byte{0} && byte != std::byte{1})
      throw_caller_error(
          "{}: {} holds a bool that is neither 0 nor 1", cursor.where(), what);
}

// Moves past `value.count` elements and remembers where they were.
void skip_elements(
    GgufCursor& cursor, std::string_view what, GgufValue& value) {
  const std::uint64_t begin = cursor.offset();
  const std::uint64_t size =
      kMetadataTypes[static_cast<std::size_t>(value.type)].bytes;
  // Strings take 8 bytes at least.
  if (value.count > cursor.remaining() / (size == 0 ? 8 : size))
    throw_caller_error(
        "{}: {} claims {} elements of {}, more than the rest of the file holds",
        cursor.where(),
        what,
        value.count,
        gguf_type_name(value.type));
  if (size == 0)
    for (std::uint64_t i = 0; i < value.count; ++i)
      cursor.text(what);
  else
    cursor.take(value.count * size, what);
  value.bytes = cursor.since(begin);
  if (value.type == GgufType::kBool) check_booleans(cursor, what, value.bytes);
}

// `what` names the key in messages.
GgufValue read_value(GgufCursor& cursor, std::string_view what) {
  GgufValue value{read_type(cursor, what), false, 1, {}};
  if (value.type == GgufType::kArray) {
    value.is_array = true;
    value.type = read_type(cursor, what);
    if (value.type == GgufType::kArray)
      throw_caller_error(
          "{}: {} nests one array in another, which moft does not read",
          cursor.where(),
          what);
    value.count = cursor.read<std::uint64_t>(what);
  }
  skip_elements(cursor, what, value);
  return value;
}

std::string read_name(GgufCursor& cursor, std::string_view what) {
  const std::string_view name = cursor.text(what);
  if (name.empty() || name.size() > kLongestName)
    throw_caller_error(
        "{}: {} has {} bytes, where 1 to {} are allowed",
        cursor.where(),
        what,
        name.size(),
        kLongestName);
  return std::string(name);
}

struct Header {
  std::uint32_t version = 0;
  std::uint64_t tensors = 0;
  std::uint64_t values = 0;
};

Header read_header(GgufCursor& cursor, std::span<const std::byte> file) {
  const auto magic = cursor.take(kMagic.size(), "the magic number");
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0)
    throw_caller_error(
        "{}: is not a GGUF file (it does not begin with \"GGUF\"){}",
        cursor.where(),
        guess_file_kind(file));
  Header header;
  header.version = cursor.read<std::uint32_t>("the version");
  if (header.version != 0 && (header.version & 0xffffu) == 0)
    throw_caller_error(
        "{}: is a big-endian GGUF file, which moft does not read; convert it "
        "again on a little-endian machine",
        cursor.where());
  if (header.version != 2 && header.version != 3)
    throw_caller_error(
        "{}: has GGUF version {}, and moft reads 2 and 3; convert it with a "
        "current llama.cpp",
        cursor.where(),
        header.version);
  header.tensors = cursor.read<std::uint64_t>("the tensor count");
  header.values = cursor.read<std::uint64_t>("the metadata count");
  const std::uint64_t room = cursor.remaining();
  if (header.values > room / kLeastValueBytes ||
      header.tensors > room / kLeastTensorBytes)
    throw_caller_error(
        "{}: claims {} metadata values and {} tensors, more than its {} bytes "
        "can hold; the file is truncated or damaged, download it again",
        cursor.where(),
        header.values,
        header.tensors,
        room);
  return header;
}

TensorType read_tensor_type(GgufCursor& cursor, const std::string& name) {
  const auto code = cursor.read<std::uint32_t>("a tensor type");
  if (const auto* info = find_gguf_type(code)) return info->type;
  for (const auto& foreign : kForeign)
    if (foreign.code == code)
      throw_caller_error(
          "{}: tensor {} is quantised as {}, which moft does not read; use "
          "the model's F16, BF16, Q8_0, Q6_K, Q5_K_M or Q4_K_M file, or "
          "requantise it with llama-quantize",
          cursor.where(),
          quote_text(name),
          foreign.name);
  throw_caller_error(
      "{}: tensor {} has the unknown type {}",
      cursor.where(),
      quote_text(name),
      code);
}

struct TensorInfo {
  TensorView view;           // bytes still empty
  std::uint64_t offset = 0;  // in the data
};

TensorInfo read_tensor_info(GgufCursor& cursor) {
  TensorInfo info;
  info.view.name = read_name(cursor, "a tensor name");
  const auto dimensions = cursor.read<std::uint32_t>("a dimension count");
  if (dimensions > kMostDimensions)
    throw_caller_error(
        "{}: tensor {} claims {} dimensions, and GGUF allows {}",
        cursor.where(),
        quote_text(info.view.name),
        dimensions,
        kMostDimensions);
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto size = cursor.read<std::uint64_t>("a dimension");
    if (size == 0 || size > static_cast<std::uint64_t>(INT64_MAX))
      throw_caller_error(
          "{}: tensor {} has the impossible dimension {}",
          cursor.where(),
          quote_text(info.view.name),
          size);
    info.view.shape.push_back(static_cast<std::int64_t>(size));
  }
  std::reverse(info.view.shape.begin(), info.view.shape.end());
  info.view.type = read_tensor_type(cursor, info.view.name);
  info.offset = cursor.read<std::uint64_t>("a tensor offset");
  return info;
}

// Gives the tensor its bytes, or says what is wrong with its claims.
void locate(
    TensorInfo& info,
    const std::string& where,
    std::span<const std::byte> data,
    std::uint64_t alignment) {
  TensorView& view = info.view;
  const auto& type = tensor_type_info(view.type);
  if (!element_count(view.shape))
    throw_caller_error(
        "{}: the product of the shape of tensor {} overflows",
        where,
        quote_text(view.name));
  const auto size = tensor_byte_count(view.type, view.shape);
  if (!size)
    throw_caller_error(
        "{}: the rows of tensor {} are not a whole number of {} blocks of {}, "
        "or its bytes overflow",
        where,
        quote_text(view.name),
        type.name,
        type.block_elements);
  if (info.offset % alignment != 0)
    throw_caller_error(
        "{}: tensor {} starts at {}, which is not aligned to {}",
        where,
        quote_text(view.name),
        info.offset,
        alignment);
  if (info.offset > data.size() || *size > data.size() - info.offset)
    throw_caller_error(
        "{}: tensor {} ({} bytes at {}) lies outside the file, which holds "
        "{} bytes of data; the file is truncated, download it again",
        where,
        quote_text(view.name),
        *size,
        info.offset,
        data.size());
  view.bytes = data.subspan(info.offset, *size);
}

void check_overlaps(
    const std::string& where, const std::vector<TensorInfo>& infos) {
  std::vector<const TensorInfo*> order;
  for (const auto& info : infos)
    order.push_back(&info);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->offset < b->offset;
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const auto& before = *order[i - 1];
    if (before.offset + before.view.bytes.size() > order[i]->offset)
      throw_caller_error(
          "{}: the data of tensor {} overlaps that of {}",
          where,
          quote_text(before.view.name),
          quote_text(order[i]->view.name));
  }
}

// The name of part `number` of `count` of a split model.
std::string split_name(
    std::string_view stem, std::int64_t number, std::int64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, count);
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  return kMetadataTypes[static_cast<std::size_t>(type)].name;
}

GgufMetadata GgufFile::add_file(const std::filesystem::path& path) {
  files_.emplace_back(path);
  const MappedFile& file = files_.back();
  const std::string where = path.string();
  GgufCursor cursor(file.bytes(), where);
  const Header header = read_header(cursor, file.bytes());
  version_ = header.version;
  GgufMetadata::Values values;
  for (std::uint64_t i = 0; i < header.values; ++i) {
    std::string key = read_name(cursor, "a metadata key");
    const GgufValue value = read_value(cursor, "key " + quote_text(key));
    const auto [place, fresh] = values.emplace(std::move(key), value);
    if (!fresh)
      throw_caller_error(
          "{}: duplicate metadata key {}", where, quote_text(place->first));
  }
  std::vector<TensorInfo> infos;
  for (std::uint64_t i = 0; i < header.tensors; ++i)
    infos.push_back(read_tensor_info(cursor));

  GgufMetadata metadata(where, std::move(values));
  const auto alignment =
      static_cast<std::uint64_t>(metadata.integer_or("general.alignment", 32));
  if (!std::has_single_bit(alignment) || alignment > (1u << 30))
    throw_caller_error(
        "{}: general.alignment is {}, which is not a power of two up to 2^30",
        where,
        static_cast<std::int64_t>(alignment));
  const std::uint64_t begin =
      (cursor.offset() + alignment - 1) / alignment * alignment;
  // A file of metadata alone may end before the padding.
  const auto data =
      file.bytes().subspan(std::min<std::uint64_t>(begin, file.bytes().size()));
  for (auto& info : infos)
    locate(info, where, data, alignment);
  check_overlaps(where, infos);
  for (auto& info : infos) {
    names_.push_back(info.view.name);
    if (!tensors_.emplace(info.view.name, std::move(info.view)).second)
      throw_caller_error(
          "{}: duplicate tensor name {}", where, quote_text(names_.back()));
  }
  return metadata;
}

void GgufFile::add_other_parts() {
  const std::int64_t count = integer_or("split.count", 1);
  if (count <= 1) return;
  const std::filesystem::path path = files_.front().path();
  const std::string name = path.filename().string();
  const std::int64_t number = integer_or("split.no", 0) + 1;
  if (number < 1 || number > count || count > kMostParts)
    throw_caller_error(
        "{}: claims to be part {} of {} of a split model; the file is damaged",
        describe(),
        number,
        count);
  const std::string ending = split_name("", number, count);
  if (!name.ends_with(ending) || name.size() == ending.size())
    throw_caller_error(
        "{}: is part {} of {} of a split model, whose name should end in {}; "
        "give the parts their names back, or merge them with llama-gguf-split "
        "--merge",
        describe(),
        number,
        count,
        ending);
  const auto stem = name.substr(0, name.size() - ending.size());
  if (number != 1)
    throw_caller_error(
        "{}: is part {} of {} of a split model; give the first part, {}",
        describe(),
        number,
        count,
        split_name(stem, 1, count));
  for (std::int64_t part = 2; part <= count; ++part) {
    const auto next = path.parent_path() / split_name(stem, part, count);
    if (!std::filesystem::exists(next))
      throw_caller_error(
          "{}: is part 1 of {} of a split model, and part {} is missing beside "
          "it; download {} as well",
          describe(),
          count,
          part,
          next.filename().string());
    add_file(next);
  }
  const auto total = integer_or("split.tensors.count", std::ssize(names_));
  if (total != std::ssize(names_))
    throw_caller_error(
        "{}: the parts hold {} tensors, and the first one says {}; download "
        "them again",
        describe(),
        names_.size(),
        total);
}

GgufFile::GgufFile(const std::filesystem::path& path) {
  static_cast<GgufMetadata&>(*this) = add_file(path);
  add_other_parts();
}

std::vector<std::filesystem::path> GgufFile::paths() const {
  std::vector<std::filesystem::path> paths;
  for (const MappedFile& file : files_)
    paths.push_back(file.path());
  return paths;
}

std::optional<TensorView> GgufFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return {};
  return found->second;
}

}  // namespace moft
