// Reading fields of a foreign JSON file with errors that name file and field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace moft {

using Json = nlohmann::json;

// One JSON file. Throws CallerError when it is missing, too large or not JSON.
Json read_json_file(const std::filesystem::path& path);

// A JSON value and where it is ("tokenizer.json: model"), for errors.
class JsonField {
 public:
  JsonField(const Json& value, std::string place)
      : value_(&value), place_(std::move(place)) {}

  const Json& value() const { return *value_; }
  const std::string& place() const { return place_; }
  bool has(const char* key) const;  // present and not null
  // Throw CallerError when absent or of another type.
  JsonField at(const char* key) const;
  JsonField at(std::size_t index) const;
  std::string text() const;
  std::int32_t id() const;
  std::size_t size() const;  // of an array
  // Absent or null gives `otherwise`.
  bool flag(const char* key, bool otherwise) const;
  std::string text(const char* key, std::string otherwise) const;
  std::string type() const { return at("type").text(); }
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  const Json* value_;
  std::string place_;
};

}  // namespace moft
