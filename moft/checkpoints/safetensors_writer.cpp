// The writing half of safetensors.h.
#include "moft/checkpoints/safetensors_writer.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/tensor_type.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

// Keeps dtype, shape, data_offsets in this order.
using Json = nlohmann::ordered_json;

// Later in the table of types comes first in the file.
std::ptrdiff_t rank(TensorType type) {
  return &tensor_type_info(type) - tensor_types().data();
}

void sort_for_file(std::vector<SafetensorsEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    if (a.type != b.type) return rank(a.type) > rank(b.type);
    return a.name < b.name;
  });
}

std::uint64_t checked_byte_count(
    const std::string& where, const SafetensorsEntry& entry) {
  const auto& info = tensor_type_info(entry.type);
  if (!info.in_safetensors)
    throw_caller_error(
        "{}: tensor {} is {}, which safetensors cannot hold; convert it "
        "first",
        where,
        quote_text(entry.name),
        info.name);
  const auto bytes = tensor_byte_count(entry.type, entry.shape);
  if (!bytes)
    throw_caller_error(
        "{}: tensor {} has an impossible shape", where, quote_text(entry.name));
  return *bytes;
}

// As JSON; `where` is for the message.
std::string dump(const Json& value, const std::string& where) {
  try {
    return value.dump();
  } catch (const nlohmann::json::exception&) {
    throw_caller_error("{}: a name or metadata text is not UTF-8", where);
  }
}

// Fills `sizes` (bytes per entry) and returns the padded header.
std::string make_header(
    const std::string& where,
    const std::vector<SafetensorsEntry>& entries,
    const Metadata& metadata,
    std::vector<std::uint64_t>& sizes) {
  std::vector<std::string> parts;
  if (!metadata.empty())
    parts.push_back(fmt::format("\"__metadata__\":{}", dump(metadata, where)));
  std::set<std::string_view> names = {"__metadata__"};
  std::uint64_t offset = 0;
  for (const auto& entry : entries) {
    if (!names.insert(entry.name).second)
      throw_caller_error(
          "{}: duplicate or reserved tensor name {}",
          where,
          quote_text(entry.name));
    sizes.push_back(checked_byte_count(where, entry));
    const Json claims = {
        {"dtype", tensor_type_info(entry.type).name},
        {"shape", entry.shape},
        {"data_offsets", {offset, offset + sizes.back()}}};
    parts.push_back(
        fmt::format("{}:{}", dump(entry.name, where), dump(claims, where)));
    offset += sizes.back();
  }
  std::string text = fmt::format("{{{}}}", join(parts, ","));
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
          "{}: tensor {} needs {} bytes and was given {}",
          where,
          quote_text(entries[i].name),
          sizes[i],
          bytes.size());
    file.write(bytes);
  }
  file.commit();
}

void write_model_tensors(
    const std::filesystem::path& directory,
    std::vector<SafetensorsEntry> entries,
    std::uint64_t shard_bytes,
    const Metadata& metadata) {
  const std::string where = directory.string();
  std::vector<std::vector<SafetensorsEntry>> shards(1);
  std::uint64_t total = 0, held = 0;
  for (SafetensorsEntry& entry : entries) {
    const std::uint64_t bytes = checked_byte_count(where, entry);
    if (held > 0 && held + bytes > shard_bytes) {
      shards.emplace_back();
      held = 0;
    }
    held += bytes;
    total += bytes;
    shards.back().push_back(std::move(entry));
  }
  if (shards.size() == 1) {
    write_safetensors(
        directory / "model.safetensors", std::move(shards[0]), metadata);
    return;
  }
  Json map = Json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    for (const SafetensorsEntry& entry : shards[i])
      map[entry.name] = name;
    write_safetensors(directory / name, std::move(shards[i]), metadata);
  }
  const Json index = {
      {"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
  write_atomically(
      directory / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace moft
