#include "moft/data/example.h"

#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

using Json = nlohmann::json;

// Parses one line; a name that appears twice at the top is an error, because
// which of the two values counts would be chance.
Json parse_line(const std::string& line, const std::string& where) {
  std::set<std::string> seen;
  std::string twice;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key &&
        !seen.insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  Json value;
  try {
    value = Json::parse(line, watch);
  } catch (const Json::parse_error& error) {
    throw_caller_error(
        "{}: not JSON at byte {}; write one JSON object per line",
        where,
        error.byte);
  }
  if (!value.is_object()) {
    throw_caller_error(
        "{}: the line holds JSON of type {}; write one JSON object per line",
        where,
        value.type_name());
  }
  if (!twice.empty()) {
    throw_caller_error(
        "{}: the field {} appears twice; keep one", where, quote_text(twice));
  }
  return value;
}

Example make_example(const Json& object, std::int64_t line, std::string where) {
  Example example{.line = line, .where = std::move(where)};
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) {
      example.fields[name] = value.get<std::string>();
    } else {
      example.other_fields[name] = value.type_name();
    }
  }
  const auto id = object.find("id");
  if (id == object.end()) {
    example.id = std::to_string(line);
  } else if (id->is_string()) {
    example.id = id->get<std::string>();
  } else if (id->is_number_integer()) {
    example.id = id->dump();
  } else {
    throw_caller_error(
        "{}: the field 'id' is of type {}; give text or a whole number",
        example.where,
        id->type_name());
  }
  return example;
}

std::string hint(const Example& example, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [field, text] : example.fields)
    names.push_back(field);
  if (names.empty()) return "it has no text fields";
  if (const auto nearest = nearest_name(name, names)) {
    return "did you mean " + quote_text(*nearest) + "?";
  }
  return "it has " + quote_text(join(names, ", "), 200);
}

}  // namespace

std::vector<Example> read_examples(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    throw_caller_error(
        "{}: is a folder; give a file of JSON lines", path.string());
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw_caller_error(
        "{}: cannot be read; give a file of JSON lines", path.string());
  }
  std::vector<Example> examples;
  std::string text;
  for (std::int64_t line = 1; std::getline(file, text); ++line) {
    const std::string where = fmt::format("{}:{}", path.string(), line);
    if (line == 1 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    if (trimmed(text).empty()) {
      if (file.peek() == std::ifstream::traits_type::eof()) break;
      throw_caller_error("{}: the line is empty; remove it", where);
    }
    examples.push_back(make_example(parse_line(text, where), line, where));
  }
  if (file.bad()) {
    throw_world_error("{}: reading failed half way", path.string());
  }
  if (examples.empty()) {
    throw_caller_error(
        "{}: holds no examples; write one JSON object per line", path.string());
  }
  return examples;
}

const std::string& text_field(
    const Example& example, const std::string& name, const std::string& user) {
  if (const auto found = example.fields.find(name);
      found != example.fields.end()) {
    return found->second;
  }
  const std::string where = example.where.empty()
                                ? "example " + quote_text(example.id)
                                : example.where;
  if (const auto other = example.other_fields.find(name);
      other != example.other_fields.end()) {
    throw_caller_error(
        "{}: {} needs the field {} as text, but it is of type {}; write it in "
        "quotes",
        where,
        user,
        quote_text(name),
        other->second);
  }
  throw_caller_error(
      "{}: {} needs the field {}, which this example does not have; {}",
      where,
      user,
      quote_text(name),
      hint(example, name));
}

}  // namespace moft
