// Messages and rules of declared settings.
#include "moft/core/fields.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "moft/core/settings_emit.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft::fields_detail {

namespace {

using Kind = SettingsNode::Kind;

// "file:7: " or "file: ".
std::string opening(const Node& node, const Place& place) {
  if (node.line == 0) return *place.file + ": ";
  return fmt::format("{}:{}: ", *place.file, node.line);
}

std::string describe_found(const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "empty";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a section of keys";
    case Kind::kString:
      return quote_text(node.text);
    default:
      return parse_real(node.text) ? node.text : quote_text(node.text);
  }
}

[[noreturn]] void throw_wrong_value(
    const Node& node,
    const Place& place,
    const std::string& path,
    const std::string& wanted) {
  if (path.empty()) {
    throw_caller_error(
        "{}the settings are {}; give {}",
        opening(node, place),
        describe_found(node),
        wanted);
  }
  throw_caller_error(
      "{}{} is {}; give {}",
      opening(node, place),
      path,
      describe_found(node),
      wanted);
}

bool inside(double value, const Range& range) {
  if (range.low) {
    if (value < *range.low || (range.low_open && value == *range.low)) {
      return false;
    }
  }
  if (range.high) {
    if (value > *range.high || (range.high_open && value == *range.high)) {
      return false;
    }
  }
  return true;
}

std::string or_null(const std::string& wanted, const Declaration& declaration) {
  return wanted + (declaration.nullable ? ", or null" : "");
}

// "a whole number of at least 1".
std::string wanted_number(const Declaration& declaration, bool whole) {
  std::string wanted = whole ? "a whole number" : "a number";
  if (!declaration.range) return or_null(wanted, declaration);
  std::string range = describe_range(*declaration.range);
  bool of = range.starts_with("at ");
  return or_null(wanted + (of ? " of " : " ") + range, declaration);
}

// An unquoted number without the '_' that YAML 1.1 and Python allow between
// digits: "1_000".
std::string without_underscores(const std::string& text) {
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && digit(i - 1) && digit(i + 1);
    if (text[i] != '_' || !between) plain += text[i];
  }
  return plain;
}

// What to add to the message when the number wanted is in quotes.
std::string quotes_advice(const Node& node) {
  const bool quoted = node.kind == Kind::kString &&
                      parse_real(without_underscores(node.text)).has_value();
  return quoted ? " (without quotes)" : "";
}

// "1e3" and "10.0" are whole numbers, "1.5" is not.
std::optional<std::int64_t> whole_number_of(const Node& node) {
  if (node.kind != Kind::kPlain) return parse_integer(node.text);
  const std::string text = without_underscores(node.text);
  if (const auto value = parse_integer(text)) return value;
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const auto value = parse_real(text);
  if (!value || std::abs(*value) > kExact || std::trunc(*value) != *value)
    return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

void flatten(
    const Node& node,
    const std::string& path,
    std::vector<std::pair<std::string, std::string>>& out) {
  if (node.kind != Kind::kMap) {
    out.emplace_back(path, emit_inline(node));
    return;
  }
  if (node.members.empty()) out.emplace_back(path, "{}");
  for (const auto& [key, value] : node.members) {
    flatten(value, child(path, key), out);
  }
}

const ConditionalKeys* condition_of(
    const std::string& path, const KeyHints& hints) {
  for (const ConditionalKeys& rule : hints.conditional) {
    if (path.starts_with(rule.prefix)) return &rule;
  }
  return nullptr;
}

// Names that mean something else in every section that has one.
bool is_generic(const std::string& name) {
  constexpr std::string_view kNames[] = {
      "name",
      "kind",
      "steps",
      "seed",
      "model",
      "target",
      "prompt",
      "path",
      "every"};
  return std::find(std::begin(kNames), std::end(kNames), name) !=
         std::end(kNames);
}

// Other programs nest their keys in sections of their own, so the key down to
// the first value counts as well as its last part.
const ForeignKey* find_foreign(
    const std::string& path, const Node& node, const KeyHints& hints) {
  std::string whole = path;
  const Node* inner = &node;
  while (inner->kind == Kind::kMap && !inner->members.empty()) {
    whole += "." + inner->members.front().key;
    inner = &inner->members.front().value;
  }
  const std::string last = path.substr(path.rfind('.') + 1);
  const std::string leaf = whole.substr(whole.rfind('.') + 1);
  for (const std::string& name : {whole, last, leaf}) {
    if (name != whole && is_generic(name)) continue;
    for (const ForeignKey& foreign : hints.foreign) {
      if (foreign.name == name) return &foreign;
    }
  }
  return nullptr;
}

// The same key in another place; those first that have an effect in every
// recipe. A generic name counts only from the top and where it is the only one.
std::optional<std::string> find_elsewhere(
    const std::string& path, const std::string& key, const Place& place) {
  const bool generic = is_generic(key);
  if (generic && !path.empty()) return std::nullopt;
  std::vector<std::string> always;
  std::vector<std::string> sometimes;
  for (const std::string& other : (*place.all_paths)()) {
    if (other != key && !other.ends_with("." + key)) continue;
    (condition_of(other, place.hints) ? sometimes : always).push_back(other);
  }
  if (generic && always.size() + sometimes.size() != 1) return std::nullopt;
  if (!always.empty()) return always.front();
  if (!sometimes.empty()) return sometimes.front();
  return std::nullopt;
}

// Why a choice that others offer is not among ours; empty for all others.
std::string reason_against(const std::string& choice) {
  if (choice != "fp16") return {};
  return "fp16 is refused: T5's activations leave its range, which bf16 covers";
}

}  // namespace

std::string describe_range(const Range& range) {
  std::string low = range.low ? fmt::format("{:.15g}", *range.low) : "";
  std::string high = range.high ? fmt::format("{:.15g}", *range.high) : "";
  if (!range.low && !range.high) return "";
  if (!range.high) return (range.low_open ? "above " : "at least ") + low;
  if (!range.low) return (range.high_open ? "below " : "at most ") + high;
  if (!range.low_open && !range.high_open) return "from " + low + " to " + high;
  return (range.low_open ? "above " : "at least ") + low + " and " +
         (range.high_open ? "below " : "at most ") + high;
}

bool read_bool(
    const Node& node,
    const Place& place,
    const std::string& path,
    const Declaration& declaration) {
  bool typed = node.kind == Kind::kPlain || node.kind == Kind::kBool;
  for (const char* word : {"true", "True", "TRUE"}) {
    if (typed && node.text == word) return true;
  }
  for (const char* word : {"false", "False", "FALSE"}) {
    if (typed && node.text == word) return false;
  }
  throw_wrong_value(node, place, path, or_null("true or false", declaration));
}

std::int64_t read_integer(
    const Node& node,
    const Place& place,
    const std::string& path,
    const Declaration& declaration) {
  std::string wanted = wanted_number(declaration, /*whole=*/true);
  bool typed = node.kind == Kind::kPlain || node.kind == Kind::kInteger;
  std::optional<std::int64_t> value;
  if (typed) value = whole_number_of(node);
  if (!value)
    throw_wrong_value(node, place, path, wanted + quotes_advice(node));
  if (declaration.range &&
      !inside(static_cast<double>(*value), *declaration.range)) {
    throw_wrong_value(node, place, path, wanted);
  }
  return *value;
}

double read_real(
    const Node& node,
    const Place& place,
    const std::string& path,
    const Declaration& declaration) {
  std::string wanted = wanted_number(declaration, /*whole=*/false);
  bool typed = node.kind == Kind::kPlain || node.kind == Kind::kInteger ||
               node.kind == Kind::kReal;
  std::optional<double> value;
  if (typed) {
    value = parse_real(
        node.kind == Kind::kPlain ? without_underscores(node.text) : node.text);
  }
  if (!value)
    throw_wrong_value(node, place, path, wanted + quotes_advice(node));
  if (declaration.range && !inside(*value, *declaration.range)) {
    throw_wrong_value(node, place, path, wanted);
  }
  return *value;
}

std::string read_string(
    const Node& node, const Place& place, const std::string& path) {
  if (node.kind != Kind::kPlain && node.kind != Kind::kString) {
    throw_wrong_value(node, place, path, "a text");
  }
  return node.text;
}

std::size_t read_choice(
    const Node& node,
    const Place& place,
    const std::string& path,
    const std::vector<std::string>& names) {
  bool typed = node.kind == Kind::kPlain || node.kind == Kind::kString;
  for (std::size_t i = 0; typed && i < names.size(); ++i) {
    if (names[i] == node.text) return i;
  }
  std::string wanted =
      names.size() == 1 ? names[0] : "one of " + join(names, ", ");
  std::optional<std::string> near;
  if (typed) near = nearest_name(node.text, names);
  const std::string reason = typed ? reason_against(node.text) : "";
  if (!reason.empty()) {
    wanted += " (" + reason + ")";
  } else if (near) {
    wanted += " (did you mean '" + *near + "'?)";
  }
  throw_wrong_value(node, place, path, wanted);
}

std::size_t read_index(
    const std::string& key,
    std::size_t size,
    const Node& node,
    const Place& place,
    const std::string& path) {
  std::optional<std::int64_t> index = parse_integer(key);
  if (!index || *index < 0 || static_cast<std::size_t>(*index) >= size) {
    throw_caller_error(
        "{}{} is a list of {}; its elements are numbered from 0, so {} is none "
        "of them",
        opening(node, place),
        path,
        size,
        quote_text(key));
  }
  return static_cast<std::size_t>(*index);
}

bool is_single(const Node& node) {
  return node.is_scalar() && node.kind != Kind::kNull;
}

void expect_map(const Node& node, const Place& place, const std::string& path) {
  if (node.kind != Kind::kMap) {
    throw_wrong_value(node, place, path, "a section of the form 'key: value'");
  }
}

void expect_list(
    const Node& node, const Place& place, const std::string& path) {
  if (node.kind != Kind::kList) {
    throw_wrong_value(node, place, path, "a list of the form [a, b]");
  }
}

// Looks for the key in the table of other programs' names, then among the
// keys allowed here, then for the same key elsewhere. A hint never names a key
// that does something else; rather than that, the keys allowed here are listed.
void throw_unknown_key(
    const std::string& path,
    const std::string& key,
    const Node& node,
    const Place& place,
    const std::vector<std::string>& siblings) {
  std::string shown = quote_text(child(path, key), 120);
  std::string message =
      fmt::format("{}key {} is not known", opening(node, place), shown);
  const auto suggest = [&](const std::string& ours, std::string_view advice) {
    const ConditionalKeys* rule = condition_of(ours, place.hints);
    throw_caller_error(
        "{}; did you mean '{}'?{}{}",
        message,
        ours,
        rule ? fmt::format(" (it needs {})", rule->condition) : "",
        advice.empty() ? "" : fmt::format(" ({})", advice));
  };
  if (const auto* found = find_foreign(child(path, key), node, place.hints)) {
    if (!found->key.empty()) suggest(std::string(found->key), found->advice);
    throw_caller_error("{}; {}", message, found->advice);
  }
  if (auto near = nearest_name(key, siblings)) suggest(child(path, *near), {});
  if (auto other = find_elsewhere(path, key, place)) suggest(*other, {});
  throw_caller_error("{}; known here: {}", message, join(siblings, ", "));
}

void throw_wrong_count(
    const Node& node,
    const Place& place,
    const std::string& path,
    std::size_t got,
    std::size_t want) {
  throw_caller_error(
      "{}{} has {} elements; give {}", opening(node, place), path, got, want);
}

void throw_count_in_code(
    const std::string& path, std::size_t got, std::size_t want) {
  throw_caller_error("{} has {} elements; give {}", path, got, want);
}

void check_number(
    double value,
    const std::string& text,
    const std::string& path,
    const Declaration& declaration,
    bool whole) {
  if (std::isfinite(value) &&
      (!declaration.range || inside(value, *declaration.range))) {
    return;
  }
  throw_caller_error(
      "{} is {}; give {}", path, text, wanted_number(declaration, whole));
}

void throw_missing(const std::string& path, const Declaration& declaration) {
  throw_caller_error(
      "key '{}' is missing; give {}", path, declaration.help.text);
}

void check_text(const std::string& value, const std::string& path) {
  if (is_utf8(value)) return;
  throw_caller_error("{} is not valid UTF-8", path);
}

std::vector<std::string> differing_paths(const Node& a, const Node& b) {
  std::vector<std::pair<std::string, std::string>> left;
  std::vector<std::pair<std::string, std::string>> right;
  flatten(a, "", left);
  flatten(b, "", right);
  std::map<std::string, std::string> left_by_path(left.begin(), left.end());
  std::map<std::string, std::string> right_by_path(right.begin(), right.end());
  std::vector<std::string> paths;
  for (const auto& [path, value] : left) {
    auto other = right_by_path.find(path);
    if (other == right_by_path.end() || other->second != value) {
      paths.push_back(path);
    }
  }
  for (const auto& [path, value] : right) {
    if (!left_by_path.count(path)) paths.push_back(path);
  }
  return paths;
}

Node bool_node(bool value) {
  Node node;
  node.kind = Kind::kBool;
  node.text = value ? "true" : "false";
  return node;
}

Node integer_node(std::int64_t value) {
  Node node;
  node.kind = Kind::kInteger;
  node.text = std::to_string(value);
  return node;
}

// With a point even where none is needed: readers of YAML 1.1 take 1e-05 for
// text, and a number that is not whole by nature should look so.
Node real_node(double value) {
  Node node;
  node.kind = Kind::kReal;
  node.text = shortest_number(value);
  if (node.text.find('.') == std::string::npos && std::isfinite(value)) {
    std::size_t exponent = node.text.find('e');
    std::size_t at =
        exponent == std::string::npos ? node.text.size() : exponent;
    node.text.insert(at, ".0");
  }
  return node;
}

Node string_node(std::string value) {
  Node node;
  node.kind = Kind::kString;
  node.text = std::move(value);
  return node;
}

}  // namespace moft::fields_detail
