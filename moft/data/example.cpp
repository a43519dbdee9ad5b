// Reads the lines of data files into examples.
#include "moft/data/example.h"

#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/text.h"
#include "moft/data/file_kind.h"
#include "moft/data/json_fault.h"
#include "moft/data/line_reader.h"

namespace moft {
namespace {

using Json = nlohmann::ordered_json;  // messages keep the order of keys

// In other_fields.
constexpr const char* kChatMessages = "chat messages";
constexpr const char* kObjects = "list of objects";

// Objects in objects whose text fields are read.
constexpr int kNestedDepth = 8;

// Parses one line; a name that appears twice at the top is an error, because
// which of the two values counts would be chance.
Json parse_line(
    const std::string& line,
    const std::string& path,
    const std::string& where) {
  std::set<std::string> seen;
  std::string twice;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxJsonDepth) {
      throw_caller_error(
          "{}: lists and objects are nested more than {} deep; flatten them",
          where,
          kMaxJsonDepth);
    }
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
  if (looks_like_dialogue(value)) return kChatMessages;
  const bool list = value.is_array() && !value.empty();
  return list && value.front().is_object() ? kObjects : value.type_name();
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

// What an object holds, under names that begin with `prefix`. A name with a dot
// that the row itself has comes before one of the same spelling inside it.
void add_fields(
    const Json& object, const std::string& prefix, int depth, Example& to) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + key;
    if (value.is_string()) {
      to.fields.try_emplace(name, value.get<std::string>());
    } else {
      to.other_fields.try_emplace(name, type_of(value));
    }
  }
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && depth < kNestedDepth)
      add_fields(value, prefix + key + ".", depth + 1, to);
  }
}

// TRL's columns that a chat template reads: JSON, or a text that holds JSON. A
// text that does not is an error where a template reads it.
std::string template_column(const Json& object, const char* name) {
  const auto column = object.find(name);
  if (column == object.end()) return {};
  Json value = *column;
  if (value.is_string()) {
    try {
      value = parse_ordered_json(column->get<std::string>(), name);
    } catch (const CallerError&) {
      value = *column;
    }
  }
  return value.empty() || value == "" ? std::string() : value.dump();
}

Example make_example(const Json& object, std::int64_t line, std::string where) {
  Example example{.line = line, .where = std::move(where)};
  add_fields(object, "", 1, example);
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string()) example.values[name] = value.dump();
    if (looks_like_dialogue(value))
      example.dialogues[name] = read_dialogue(value, name);
  }
  example.tools = template_column(object, "tools");
  example.chat_template_kwargs =
      template_column(object, "chat_template_kwargs");
  const auto id = id_of(object, example.where);
  example.has_id = id.has_value();
  example.id = id.value_or(std::to_string(line));
  return example;
}

// What to do about a field that is there but holds no text.
std::string cure_for(const std::string& type, const std::string& name) {
  if (type == "null") return "is null; fill it in, or remove the line";
  if (type == kChatMessages) {
    return fmt::format(
        "is a list of chat messages; '{0}.user' is the last user's text, "
        "'{0}.answer' the answer to it and '{0}.system' the system's, and "
        "without data.prompt_template the dialogue is the prompt",
        name);
  }
  if (type == "array" || type == kObjects)
    return "is a list; join it into one text";
  if (type == "object") return "is an object; write what is needed as text";
  return "is of type " + type + "; write it in quotes";
}

std::string hint(const Example& example, const std::string& name) {
  if (example.dialogues.contains(name.substr(0, name.rfind('.'))))
    return "its dialogue has no such turn (user, answer, system)";
  std::vector<std::string> names;
  for (const auto& [field, text] : example.fields)
    names.push_back(field);
  if (const auto nearest = nearest_name(name, names)) {
    return "did you mean " + quote_text(*nearest) + "?";
  }
  for (const auto& [field, type] : example.other_fields) {
    if (type == kChatMessages)
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

// "messages.user": a turn of the dialogue `messages`.
const std::string* turn_field(const Example& example, const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos) return nullptr;
  const auto found = example.dialogues.find(name.substr(0, dot));
  if (found == example.dialogues.end()) return nullptr;
  const Dialogue& dialogue = found->second;
  if (!dialogue.fault.empty())
    throw_caller_error("{}: {}", place_of(example), dialogue.fault);
  return named_turn(dialogue.messages, name.substr(dot + 1));
}

}  // namespace

namespace {

// Up to `most` examples of a file.
std::vector<Example> read_some(
    const std::filesystem::path& path, std::size_t most) {
  LineReader file(path);
  const std::string name = path.string();
  std::vector<Example> examples;
  std::string text;
  std::int64_t blank = 0;  // the first empty line, good at the end only
  for (std::int64_t line = 1; examples.size() < most && file.next(text);
       ++line) {
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

}  // namespace

std::vector<Example> read_examples(const std::filesystem::path& path) {
  return read_some(path, std::numeric_limits<std::size_t>::max());
}

Example read_first_example(const std::filesystem::path& path) {
  return read_some(path, 1).front();
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
  if (const std::string* turn = turn_field(example, name)) return *turn;
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
