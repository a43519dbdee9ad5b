// Reads the lines of data files into examples.
#include "moft/data/example.h"

#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/file_kind.h"
#include "moft/data/json_fault.h"
#include "moft/data/line_reader.h"

namespace moft {
namespace {

using Json = nlohmann::json;

// In other_fields: TRL's messages have "content", ShareGPT's "value".
constexpr const char* kChatMessages = "chat messages";
constexpr const char* kShareGptMessages = "chat messages of ShareGPT";
constexpr const char* kObjects = "list of objects";

// Parses one line; a name that appears twice at the top is an error, because
// which of the two values counts would be chance.
Json parse_line(
    const std::string& line,
    const std::string& path,
    const std::string& where) {
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
        "{}: {}", where, describe_json_fault(line, error.byte, path));
  } catch (const Json::out_of_range&) {
    throw_caller_error(
        "{}: a number is too large to read; write it in quotes, or remove it",
        where);
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

const char* type_of(const Json& value) {
  const bool list = value.is_array() && !value.empty();
  if (!list || !value.front().is_object()) return value.type_name();
  if (value.front().contains("content")) return kChatMessages;
  if (value.front().contains("from") && value.front().contains("value"))
    return kShareGptMessages;
  return kObjects;
}

// Text, a whole number (1.0 is 1: tables write ids so), or nothing.
std::optional<std::string> id_of(const Json& object, const std::string& where) {
  const auto id = object.find("id");
  if (id == object.end() || id->is_null()) return std::nullopt;
  if (id->is_string()) return id->get<std::string>();
  if (id->is_number_integer()) return id->dump();
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (id->is_number_float()) {
    const auto value = id->get<double>();
    if (std::trunc(value) == value && std::abs(value) <= kExact)
      return std::to_string(static_cast<std::int64_t>(value));
  }
  throw_caller_error(
      "{}: the field 'id' is {}; give text or a whole number, or leave it out",
      where,
      quote_text(id->dump()));
}

Example make_example(const Json& object, std::int64_t line, std::string where) {
  Example example{.line = line, .where = std::move(where)};
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) {
      example.fields[name] = value.get<std::string>();
    } else {
      example.other_fields[name] = type_of(value);
      example.values[name] = value.dump();
    }
  }
  const auto id = id_of(object, example.where);
  example.has_id = id.has_value();
  example.id = id.value_or(std::to_string(line));
  return example;
}

// What to do about a field that is there but holds no text.
std::string cure_for(const std::string& type, const std::string& name) {
  if (type == "null") return "is null; fill it in, or remove the line";
  if (type.starts_with(kChatMessages)) {
    return fmt::format(
        "is a list of chat messages; make a text field of the one that is the "
        "prompt, for example with jq -c '. + {{text: .[{}][0].{}}}'",
        Json(name).dump(),
        type == kChatMessages ? "content" : "value");
  }
  if (type == "array" || type == kObjects)
    return "is a list; join it into one text";
  if (type == "object") return "is an object; write what is needed as text";
  return "is of type " + type + "; write it in quotes";
}

std::string hint(const Example& example, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [field, text] : example.fields)
    names.push_back(field);
  if (const auto nearest = nearest_name(name, names)) {
    return "did you mean " + quote_text(*nearest) + "?";
  }
  for (const auto& [field, type] : example.other_fields) {
    if (type.starts_with(kChatMessages))
      return "its field " + quote_text(field) + " " + cure_for(type, field);
  }
  // All examples of a file in one object: {"data": [{..}, {..}]}.
  for (const auto& [field, type] : example.other_fields) {
    if (type != kObjects || !example.where.ends_with(":1")) continue;
    const std::string path = example.where.substr(0, example.where.size() - 2);
    return "its field " + quote_text(field) +
           " is a list of objects; if those are the examples, write one per "
           "line: " +
           command_to_unwrap(path, field);
  }
  if (names.empty()) return "it has no text fields";
  return "it has " + quote_text(join(names, ", "), 200);
}

}  // namespace

std::vector<Example> read_examples(const std::filesystem::path& path) {
  LineReader file(path);
  const std::string name = path.string();
  std::vector<Example> examples;
  std::string text;
  std::int64_t blank = 0;  // the first empty line, good at the end only
  for (std::int64_t line = 1; file.next(text); ++line) {
    const std::string where = fmt::format("{}:{}", name, line);
    if (line == 1) {
      if (const auto other = describe_foreign_file(name, text))
        throw_caller_error("{}: {}", name, *other);
    }
    // Also further down, where files were joined that each began with one.
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    if (trimmed(text).empty()) {
      if (blank == 0) blank = line;
      continue;
    }
    if (blank != 0) {
      throw_caller_error("{}:{}: the line is empty; remove it", name, blank);
    }
    examples.push_back(
        make_example(parse_line(text, name, where), line, where));
  }
  if (examples.empty()) {
    throw_caller_error(
        "{}: holds no examples; write one JSON object per line", name);
  }
  return examples;
}

std::vector<Example> read_examples(const std::vector<std::string>& files) {
  std::vector<Example> all;
  for (const std::string& file : files) {
    std::vector<Example> examples = read_examples(std::filesystem::path(file));
    const std::string name = std::filesystem::path(file).filename().string();
    for (Example& example : examples) {
      if (files.size() > 1 && !example.has_id)
        example.id = fmt::format("{}:{}", name, example.line);
      all.push_back(std::move(example));
    }
  }
  return all;
}

const std::string& text_field(
    const Example& example, const std::string& name, const std::string& user) {
  if (const auto found = example.fields.find(name);
      found != example.fields.end()) {
    return found->second;
  }
  const std::string where = place_of(example);
  if (const auto other = example.other_fields.find(name);
      other != example.other_fields.end()) {
    throw_caller_error(
        "{}: {} needs the field {} as text, but it {}",
        where,
        user,
        quote_text(name),
        cure_for(other->second, name));
  }
  throw_caller_error(
      "{}: {} needs the field {}, which this example does not have; {}",
      where,
      user,
      quote_text(name),
      hint(example, name));
}

std::string place_of(const Example& example) {
  return example.where.empty() ? "example " + quote_text(example.id)
                               : example.where;
}

}  // namespace moft
