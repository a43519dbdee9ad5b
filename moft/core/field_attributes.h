// Attributes of a field declaration (core/fields.h: help, range, ..), and which
// types a field may have.
#pragma once

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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

// A list that may be written as its only element: `a.txt` for `[a.txt]`. A map
// that may be one value without a name, which is kept under the name "".
struct OneOrMore {};

// A text (or a list of texts) that names a file or folder: see
// core/field_paths.h.
struct Path {};

// A key of another program, and what to write instead. T::key_hints() gives
// the table to the reading of T.
struct ForeignKey {
  std::string_view name;    // "beta", or dotted: "actor_rollout_ref.rollout.n"
  std::string_view key;     // ours, dotted; empty: there is none
  std::string_view advice;  // one clause; may be empty beside a key
};

// Keys that have an effect in some recipes only, and in which.
struct ConditionalKeys {
  std::string_view prefix;     // "training.value."
  std::string_view condition;  // "training.baseline: value"
};

struct KeyHints {
  std::span<const ForeignKey> foreign;
  std::span<const ConditionalKeys> conditional;
};

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

namespace fields_detail {

// A field's declaration without its value.
struct Declaration {
  Help help{};
  std::optional<Range> range;
  std::optional<std::size_t> count;
  bool required = false;
  bool one_or_more = false;
  bool is_path = false;
  bool nullable = false;  // may be null

  void add(const Help& value) { help = value; }
  void add(const Range& value) { range = value; }
  void add(const Count& value) { count = value.elements; }
  void add(const Required&) { required = true; }
  void add(const OneOrMore&) { one_or_more = true; }
  void add(const Path&) { is_path = true; }
};

template <class... Attributes>
Declaration declare(const Attributes&... attributes) {
  Declaration declaration;
  (declaration.add(attributes), ...);
  return declaration;
}

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
concept HasKeyHints = requires {
  { T::key_hints() } -> std::same_as<KeyHints>;
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

template <class Enum>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& entry : enum_names(Enum{}))
    names.emplace_back(entry.second);
  return names;
}

// The one value of a map without names is at the map's own path.
inline std::string child(const std::string& path, std::string_view name) {
  if (name.empty()) return path;
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

}  // namespace fields_detail

}  // namespace moft
