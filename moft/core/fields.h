// Settings that are declared once.
//
// An options struct lists each of its fields in one member function; reading,
// checking, printing, comparing, help and documentation all follow from it:
//
//   enum class Baseline { kBatchMean, kLeaveOneOut };
//   constexpr auto enum_names(Baseline) {
//     return EnumNames<Baseline, 2>{{
//         {Baseline::kBatchMean, "batch_mean"},
//         {Baseline::kLeaveOneOut, "leave_one_out"}}};
//   }
//
//   struct ExampleOptions {
//     std::int64_t steps = 40;
//     std::vector<double> betas = {0.9, 0.95};
//     Baseline baseline = Baseline::kLeaveOneOut;
//     AdapterOptions adapter;  // itself a struct with fields()
//
//     template <class V>
//     void fields(V& v) {
//       v("steps", steps, Help{"updates of the policy", "steps"}, at_least(1));
//       v("betas", betas, Help{"decay rates of Adam's moments"},
//         between(0, 1), Count{2});
//       v("baseline", baseline, Help{"what is subtracted from the reward"});
//       v("adapter", adapter, Help{"the low-rank adapters"});
//     }
//     // Optional: what concerns several fields at once. `path` is the dotted
//     // path of this struct with a dot at its end, or empty at the top.
//     // Throws CallerError("{path}steps is ..; give ..").
//     void check(const std::string& path) const;
//   };
//
// Types: bool, std::int64_t, double, std::string, enums with enum_names,
// std::optional<T> (null means absent; a struct is absent by default),
// std::vector<T>, std::map<std::string, T>, structs with fields(), and any
// nesting of these. Ranges apply to every number inside a field. A number is
// always finite.
//
// A struct that is read keeps the value of each field that is not named. A
// vector or map that is named is replaced as a whole, except through an
// override whose path leads into it ("rewards.brevity.range=[0,1]",
// "layers.0.name=x").
//
// Errors are CallerErrors of one sentence:
//   recipe.yaml:7: key 'training.stpes' is not known; did you mean
//       'training.steps'?
//   recipe.yaml:7: training.steps is -3; give a whole number of at least 1
//
// Goals: one declaration; exact round trips; messages a newcomer understands.
// Non-goals: a schema language, settings looked up by string at run time,
// other formats than YAML and JSON.
//
// Thread safety: the functions are pure; a struct is the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/settings_tree.h"

namespace moft {

// What a field is for, in one sentence, and what one of it is.
struct Help {
  std::string_view text;
  std::string_view unit = "";
};

// Bounds of a number; an open end excludes the bound itself.
struct Range {
  std::optional<double> low;
  std::optional<double> high;
  bool low_open = false;
  bool high_open = false;
};

constexpr Range at_least(double low) {
  return {.low = low, .high = {}};
}
constexpr Range above(double low) {
  return {.low = low, .high = {}, .low_open = true};
}
constexpr Range between(double low, double high) {
  return {.low = low, .high = high};
}
constexpr Range above_up_to(double low, double high) {
  return {.low = low, .high = high, .low_open = true};
}
constexpr Range from_up_to_below(double low, double high) {
  return {.low = low, .high = high, .high_open = true};
}

// A list that has exactly this many elements.
struct Count {
  std::size_t elements;
};

// check_options refuses an empty text, list or map here.
struct Required {};

template <class Enum, std::size_t N>
using EnumNames = std::array<std::pair<Enum, std::string_view>, N>;

// The name of an enumerator in settings, for printing.
template <class Enum>
std::string enum_name(Enum value) {
  for (const auto& [candidate, name] : enum_names(value)) {
    if (candidate == value) return std::string(name);
  }
  return "?";
}

// One field as documentation shows it. A struct inside a struct, a list or a
// map is an entry of its own (is_section) before its fields.
struct FieldDescription {
  std::string path;  // "rewards.<name>.range"
  std::string type;  // "whole number", "list of numbers", "constant | linear"
  std::string default_value;  // "[0.9, 0.95]"; empty when absent by default
  std::string unit;
  std::string allowed;  // "at least 1"; empty without a range
  std::string help;
  bool required = false;
  bool is_section = false;
};

namespace fields_detail {

// A field's declaration without its value.
struct Declaration {
  Help help{};
  std::optional<Range> range;
  std::optional<std::size_t> count;
  bool required = false;

  void add(const Help& value) { help = value; }
  void add(const Range& value) { range = value; }
  void add(const Count& value) { count = value.elements; }
  void add(const Required&) { required = true; }
};

template <class... Attributes>
Declaration declare(const Attributes&... attributes) {
  Declaration declaration;
  (declaration.add(attributes), ...);
  return declaration;
}

// Where a value stands, for messages.
struct Place {
  const std::string* file;  // or "override 'a=1'"
  // All dotted paths of the outermost struct, made when a key is not known.
  const std::function<std::vector<std::string>()>* all_paths;
};

struct NoFields {
  template <class... A>
  void operator()(A&&...) {}
};
template <class T>
concept HasFields = requires(T& t, NoFields& v) {
  t.fields(v);
};
template <class T>
concept HasCheck = requires(const T& t) {
  t.check(std::string());
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

template <class>
inline constexpr bool kUnsupported = false;

using Node = SettingsNode;

// In fields.cpp: everything that needs no template.
bool read_bool(const Node&, const Place&, const std::string& path);
std::int64_t read_integer(
    const Node&, const Place&, const std::string& path, const Declaration&);
double read_real(
    const Node&, const Place&, const std::string& path, const Declaration&);
std::string read_string(const Node&, const Place&, const std::string& path);
std::size_t read_choice(
    const Node&,
    const Place&,
    const std::string& path,
    const std::vector<std::string>& names);
std::size_t read_index(
    const std::string& key,
    std::size_t size,
    const Node&,
    const Place&,
    const std::string& path);
void expect_map(const Node&, const Place&, const std::string& path);
void expect_list(const Node&, const Place&, const std::string& path);
[[noreturn]] void throw_unknown_key(
    const std::string& path,
    const std::string& key,
    const Node& node,
    const Place& place,
    const std::vector<std::string>& siblings);
[[noreturn]] void throw_wrong_count(
    const Node&,
    const Place&,
    const std::string& path,
    std::size_t got,
    std::size_t want);
void check_number(
    double value,
    const std::string& text,
    const std::string& path,
    const Declaration&,
    bool whole);
[[noreturn]] void throw_missing(const std::string& path, const Declaration&);
[[noreturn]] void throw_count_in_code(
    const std::string& path, std::size_t got, std::size_t want);
void check_text(const std::string& value, const std::string& path);
std::string describe_range(const Range&);
std::vector<std::string> differing_paths(const Node& a, const Node& b);

Node bool_node(bool value);
Node integer_node(std::int64_t value);
Node real_node(double value);
Node string_node(std::string value);

template <class Enum>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& entry : enum_names(Enum{}))
    names.emplace_back(entry.second);
  return names;
}

inline std::string child(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

// --- reading -------------------------------------------------------------

template <class T>
void read_struct(
    T& value, const Node& node, const Place& place, const std::string& path);

template <class T>
void read_value(
    T& value,
    const Node& node,
    const Place& place,
    const std::string& path,
    const Declaration& declaration) {
  if constexpr (std::is_same_v<T, bool>) {
    value = read_bool(node, place, path);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    value = read_integer(node, place, path, declaration);
  } else if constexpr (std::is_same_v<T, double>) {
    value = read_real(node, place, path, declaration);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = read_string(node, place, path);
  } else if constexpr (std::is_enum_v<T>) {
    std::size_t choice = read_choice(node, place, path, names_of<T>());
    value = enum_names(T{})[choice].first;
  } else if constexpr (IsOptional<T>::value) {
    bool null_word = node.kind == Node::Kind::kNull;
    if (null_word) {
      value.reset();
    } else {
      typename T::value_type inner = value ? *value : typename T::value_type{};
      read_value(inner, node, place, path, declaration);
      value = std::move(inner);
    }
  } else if constexpr (IsVector<T>::value) {
    if (node.kind == Node::Kind::kMap && node.partial) {
      for (const auto& [key, item] : node.members) {
        std::size_t i = read_index(key, value.size(), node, place, path);
        typename T::value_type inner = value[i];
        read_value(inner, item, place, child(path, key), declaration);
        value[i] = std::move(inner);
      }
      return;
    }
    expect_list(node, place, path);
    if (declaration.count && *declaration.count != node.items.size()) {
      throw_wrong_count(
          node, place, path, node.items.size(), *declaration.count);
    }
    T fresh;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      typename T::value_type inner{};
      std::string item_path = child(path, std::to_string(i));
      read_value(inner, node.items[i], place, item_path, declaration);
      fresh.push_back(std::move(inner));
    }
    value = std::move(fresh);
  } else if constexpr (IsMap<T>::value) {
    expect_map(node, place, path);
    T fresh;
    if (node.partial) fresh = value;
    for (const auto& [key, item] : node.members) {
      read_value(fresh[key], item, place, child(path, key), declaration);
    }
    value = std::move(fresh);
  } else if constexpr (HasFields<T>) {
    read_struct(value, node, place, path);
  } else {
    static_assert(kUnsupported<T>, "fields.h does not know this type");
  }
}

class Reader {
 public:
  Reader(const Node& node, const Place& place, const std::string& path)
      : node_(node), place_(place), path_(path) {}

  template <class T, class... Attributes>
  void operator()(
      std::string_view name, T& value, const Attributes&... attributes) {
    names_.emplace_back(name);
    const Node* found = node_.find(name);
    if (!found || pass_ == 0) return;
    read_value(
        value, *found, place_, child(path_, name), declare(attributes...));
  }

  // Keys first, values second: a misspelt key is named before anything else.
  void check_keys() {
    for (const auto& [key, item] : node_.members) {
      bool known = false;
      for (const std::string& name : names_)
        known = known || name == key;
      if (!known) throw_unknown_key(path_, key, item, place_, names_);
    }
    pass_ = 1;
  }

 private:
  const Node& node_;
  const Place& place_;
  const std::string& path_;
  std::vector<std::string> names_;
  int pass_ = 0;
};

template <class T>
void read_struct(
    T& value, const Node& node, const Place& place, const std::string& path) {
  expect_map(node, place, path);
  Reader reader(node, place, path);
  value.fields(reader);
  reader.check_keys();
  value.fields(reader);
}

// --- writing -------------------------------------------------------------

template <class T>
Node write_value(const T& value);

class Writer {
 public:
  template <class T, class... Attributes>
  void operator()(std::string_view name, T& value, const Attributes&...) {
    if constexpr (IsOptional<T>::value) {
      if constexpr (HasFields<typename T::value_type>) {
        if (!value) return;
      }
    }
    node_.members.emplace_back(name, write_value(value));
  }
  Node take() { return std::move(node_); }

 private:
  Node node_ = [] {
    Node node;
    node.kind = Node::Kind::kMap;
    return node;
  }();
};

template <class T>
Node write_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return bool_node(value);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return integer_node(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return real_node(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return string_node(value);
  } else if constexpr (std::is_enum_v<T>) {
    return string_node(enum_name(value));
  } else if constexpr (IsOptional<T>::value) {
    return value ? write_value(*value) : Node{};
  } else if constexpr (IsVector<T>::value) {
    Node node;
    node.kind = Node::Kind::kList;
    for (const typename T::value_type& item : value) {
      node.items.push_back(write_value(item));
    }
    return node;
  } else if constexpr (IsMap<T>::value) {
    Node node;
    node.kind = Node::Kind::kMap;
    for (const auto& [key, item] : value) {
      node.members.emplace_back(key, write_value(item));
    }
    return node;
  } else if constexpr (HasFields<T>) {
    Writer writer;
    // fields() is one function for readers and writers; a Writer only looks.
    const_cast<T&>(value).fields(writer);
    return writer.take();
  } else {
    static_assert(kUnsupported<T>, "fields.h does not know this type");
  }
}

// --- checking ------------------------------------------------------------

template <class T>
void check_value(
    const T& value, const std::string& path, const Declaration& declaration);

class Checker {
 public:
  explicit Checker(const std::string& path) : path_(path) {}

  template <class T, class... Attributes>
  void operator()(
      std::string_view name, T& value, const Attributes&... attributes) {
    check_value(value, child(path_, name), declare(attributes...));
  }

 private:
  const std::string& path_;
};

template <class T>
void check_value(
    const T& value, const std::string& path, const Declaration& declaration) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    check_number(
        static_cast<double>(value),
        integer_node(value).text,
        path,
        declaration,
        /*whole=*/true);
  } else if constexpr (std::is_same_v<T, double>) {
    check_number(
        value, real_node(value).text, path, declaration, /*whole=*/false);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (declaration.required && value.empty()) throw_missing(path, declaration);
    check_text(value, path);
  } else if constexpr (IsOptional<T>::value) {
    if (value) check_value(*value, path, declaration);
  } else if constexpr (IsVector<T>::value) {
    if (declaration.required && value.empty()) throw_missing(path, declaration);
    if (declaration.count && *declaration.count != value.size()) {
      throw_count_in_code(path, value.size(), *declaration.count);
    }
    Declaration inner = declaration;
    inner.required = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const typename T::value_type& item = value[i];
      check_value(item, child(path, std::to_string(i)), inner);
    }
  } else if constexpr (IsMap<T>::value) {
    if (declaration.required && value.empty()) throw_missing(path, declaration);
    Declaration inner = declaration;
    inner.required = false;
    for (const auto& [key, item] : value) {
      check_text(key, path);
      check_value(item, child(path, key), inner);
    }
  } else if constexpr (HasFields<T>) {
    Checker checker(path);
    const_cast<T&>(value).fields(checker);
    if constexpr (HasCheck<T>) value.check(path.empty() ? path : path + ".");
  }
}

// --- describing ----------------------------------------------------------

template <class T>
std::string type_name(bool plural) {
  if constexpr (std::is_same_v<T, bool>) {
    return plural ? "booleans" : "true | false";
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return plural ? "whole numbers" : "whole number";
  } else if constexpr (std::is_same_v<T, double>) {
    return plural ? "numbers" : "number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return plural ? "texts" : "text";
  } else if constexpr (std::is_enum_v<T>) {
    std::string names;
    for (const std::string& name : names_of<T>()) {
      names += (names.empty() ? "" : " | ") + name;
    }
    return names;
  } else if constexpr (IsOptional<T>::value) {
    return type_name<typename T::value_type>(plural);
  } else if constexpr (IsVector<T>::value) {
    return "list of " + type_name<typename T::value_type>(/*plural=*/true);
  } else if constexpr (IsMap<T>::value) {
    return "map of names to " +
           type_name<typename T::mapped_type>(/*plural=*/true);
  } else {
    return plural ? "sections" : "section";
  }
}

class Lister {
 public:
  Lister(std::string path, std::vector<FieldDescription>& out)
      : path_(std::move(path)), out_(out) {}

  template <class T, class... Attributes>
  void operator()(
      std::string_view name, T& value, const Attributes&... attributes) {
    Declaration declaration = declare(attributes...);
    FieldDescription entry;
    entry.path = child(path_, name);
    entry.type = type_name<T>(/*plural=*/false);
    entry.unit = declaration.help.unit;
    entry.help = declaration.help.text;
    entry.required = declaration.required;
    if (declaration.range) entry.allowed = describe_range(*declaration.range);
    bool absent = false;
    if constexpr (IsOptional<T>::value) absent = !value.has_value();
    if (!absent) entry.default_value = emit_inline(write_value(value));
    describe_inside<T>(entry);
  }

 private:
  template <class T>
  void describe_inside(FieldDescription& entry) {
    if constexpr (IsOptional<T>::value) {
      describe_inside<typename T::value_type>(entry);
    } else if constexpr (IsVector<T>::value) {
      if constexpr (HasFields<typename T::value_type>) {
        list_section<typename T::value_type>(entry, ".<number>");
      } else {
        out_.push_back(entry);
      }
    } else if constexpr (IsMap<T>::value) {
      if constexpr (HasFields<typename T::mapped_type>) {
        list_section<typename T::mapped_type>(entry, ".<name>");
      } else {
        out_.push_back(entry);
      }
    } else if constexpr (HasFields<T>) {
      list_section<T>(entry, "");
    } else {
      out_.push_back(entry);
    }
  }

  template <class T>
  void list_section(FieldDescription& entry, std::string_view suffix) {
    entry.is_section = true;
    entry.default_value.clear();
    out_.push_back(entry);
    T defaults{};
    Lister inner(entry.path + std::string(suffix), out_);
    defaults.fields(inner);
  }

  std::string path_;
  std::vector<FieldDescription>& out_;
};

template <class T>
void read_tree(T& options, const Node& tree, const std::string& file);

}  // namespace fields_detail

// Every field of T with its default, in the order of declaration.
template <class T>
std::vector<FieldDescription> list_options() {
  std::vector<FieldDescription> fields;
  T defaults{};
  fields_detail::Lister lister("", fields);
  defaults.fields(lister);
  return fields;
}

// Reads YAML text over `options`. On an error `options` is unchanged.
template <class T>
void read_options(T& options, std::string_view text, const std::string& file) {
  fields_detail::read_tree(options, parse_yaml(text, file), file);
}

// Applies "dotted.path=value". On an error `options` is unchanged.
template <class T>
void override_option(T& options, const std::string& assignment) {
  fields_detail::read_tree(
      options, parse_assignment(assignment), assignment_place(assignment));
}

// The same from JSON. `place` opens the messages: a file, "request body".
template <class T>
void options_from_json(
    T& options, const nlohmann::json& json, const std::string& place) {
  fields_detail::read_tree(options, tree_from_json(json, place), place);
}

// Every field as YAML; an absent value is null, an absent struct is left out.
// Reading it back into a default T gives equal options, to the last bit.
template <class T>
std::string print_options(const T& options) {
  return emit_yaml(fields_detail::write_value(options));
}

template <class T>
nlohmann::ordered_json options_to_json(const T& options) {
  return emit_json(fields_detail::write_value(options));
}

// Required fields, ranges and each struct's own check(): call it once all
// sources are read. Options made in code are checked by the same rules.
// `place` opens the messages.
template <class T>
void check_options(const T& options, const std::string& place) {
  try {
    fields_detail::check_value(options, "", fields_detail::Declaration{});
  } catch (const CallerError& error) {
    throw CallerError(place + ": " + error.what());
  }
}

// Dotted paths of the values that differ, in order of declaration.
template <class T>
std::vector<std::string> differing_options(const T& a, const T& b) {
  return fields_detail::differing_paths(
      fields_detail::write_value(a), fields_detail::write_value(b));
}

namespace fields_detail {

template <class T>
void read_tree(T& options, const Node& tree, const std::string& file) {
  std::function<std::vector<std::string>()> all_paths = [] {
    std::vector<std::string> paths;
    for (const FieldDescription& field : list_options<T>()) {
      paths.push_back(field.path);
    }
    return paths;
  };
  Place place{&file, &all_paths};
  T copy = options;
  read_value(copy, tree, place, "", Declaration{});
  options = std::move(copy);
}

}  // namespace fields_detail

}  // namespace moft
