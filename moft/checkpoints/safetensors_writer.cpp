// The writing half of safetensors.h.
#include <algorithm>
#include <tuple>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

// A sorted map would spoil the order of the data.
using Json = nlohmann::ordered_json;

// Later in the table of types comes first in the file.
std::ptrdiff_t rank(TensorType type) {
  return &tensor_type_info(type) - tensor_types().data();
}

void sort_for_file(std::vector<SafetensorsEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tuple(-rank(a.type), std::cref(a.name).get()) <
           std::tuple(-rank(b.type), std::cref(b.name).get());
  });
}

std::uint64_t checked_byte_count(
    const std::string& where, const SafetensorsEntry& entry) {
  const auto& info = tensor_type_info(entry.type);
  if (!info.in_safetensors)
    throw_caller_error(
        "{}: tensor \"{}\" is {}, which safetensors cannot hold; convert it "
        "first",
        where,
        entry.name,
        info.name);
  const auto bytes = tensor_byte_count(entry.type, entry.shape);
  if (!bytes)
    throw_caller_error(
        "{}: tensor \"{}\" has an impossible shape", where, entry.name);
  return *bytes;
}

// Fills `sizes` (bytes per entry) and returns the padded header.
std::string make_header(
    const std::string& where,
    const std::vector<SafetensorsEntry>& entries,
    const Metadata& metadata,
    std::vector<std::uint64_t>& sizes) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& entry : entries) {
    if (entry.name == "__metadata__" || header.contains(entry.name))
      throw_caller_error(
          "{}: duplicate or reserved tensor name \"{}\"", where, entry.name);
    sizes.push_back(checked_byte_count(where, entry));
    Json& claims = header[entry.name];
    claims["dtype"] = tensor_type_info(entry.type).name;
    claims["shape"] = entry.shape;
    claims["data_offsets"] = {offset, offset + sizes.back()};
    offset += sizes.back();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {
    throw_caller_error(
        "{}: a name or metadata text is not UTF-8 ({})", where, error.what());
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(
    const std::filesystem::path& path,
    std::vector<SafetensorsEntry> entries,
    const Metadata& metadata) {
  const std::string where = path.string();
  sort_for_file(entries);
  std::vector<std::uint64_t> sizes;
  const std::string header = make_header(where, entries, metadata, sizes);
  std::uint64_t total = 8 + header.size();
  for (const std::uint64_t size : sizes)
    total += size;
  require_free_space(path, total);

  AtomicFile file(path);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto bytes = entries[i].bytes();
    if (bytes.size() != sizes[i])
      throw_caller_error(
          "{}: tensor \"{}\" needs {} bytes and was given {}",
          where,
          entries[i].name,
          sizes[i],
          bytes.size());
    file.write(bytes);
  }
  file.commit();
}

}  // namespace moft
