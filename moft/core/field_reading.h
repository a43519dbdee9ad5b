// A settings tree into the fields of a struct; see core/fields.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "moft/core/any_options.h"
#include "moft/core/field_attributes.h"

namespace moft::fields_detail {

// Where a value is, for messages.
struct Place {
  const std::string* file;  // or "override 'a=1'"
  // All dotted paths of the outermost struct, made when a key is not known.
  const std::function<std::vector<std::string>()>* all_paths;
  KeyHints hints;
};

// In fields.cpp: what needs no template. All throw CallerError.
bool read_bool(
    const Node&, const Place&, const std::string& path, const Declaration&);
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
// A scalar that is not null.
bool is_single(const Node&);
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
    value = read_bool(node, place, path, declaration);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    value = read_integer(node, place, path, declaration);
  } else if constexpr (std::is_same_v<T, double>) {
    value = read_real(node, place, path, declaration);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = read_string(node, place, path);
  } else if constexpr (std::is_enum_v<T>) {
    std::size_t choice = read_choice(node, place, path, names_of<T>());
    value = enum_names(T{})[choice].first;
  } else if constexpr (std::is_same_v<T, AnyOptions>) {
    value.read(node, place, path);
  } else if constexpr (IsOptional<T>::value) {
    bool null_word = node.kind == Node::Kind::kNull;
    if (null_word) {
      value.reset();
    } else {
      typename T::value_type inner = value ? *value : typename T::value_type{};
      Declaration inside = declaration;
      inside.nullable = true;
      read_value(inner, node, place, path, inside);
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
    const bool none = node.kind == Node::Kind::kNull;
    if (none && declaration.one_or_more && !declaration.required) {
      value = {};
      return;
    }
    if (declaration.one_or_more && is_single(node)) {
      typename T::value_type inner{};
      read_value(inner, node, place, path, declaration);
      value = {std::move(inner)};
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
    const bool none = node.kind == Node::Kind::kNull;
    if (declaration.one_or_more && (none || is_single(node))) {
      T fresh;
      if (!none) read_value(fresh[""], node, place, path, declaration);
      value = std::move(fresh);
      return;
    }
    expect_map(node, place, path);
    T fresh;
    if (node.partial) fresh = value;
    if (declaration.one_or_more) fresh.erase("");
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

}  // namespace moft::fields_detail
