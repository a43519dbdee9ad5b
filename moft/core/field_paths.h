// Every file or folder that options name: the fields declared with Path{}.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "moft/core/any_options.h"
#include "moft/core/field_attributes.h"

namespace moft {

namespace fields_detail {

template <class F>
class PathVisitor {
 public:
  PathVisitor(std::string path, const F& visit)
      : path_(std::move(path)), visit_(visit) {}

  template <class T, class... Attributes>
  void operator()(
      std::string_view name, T& value, const Attributes&... attributes) {
    walk(value, child(path_, name), declare(attributes...).is_path);
  }

 private:
  template <class T>
  void walk(T& value, const std::string& path, bool is_path) {
    if constexpr (std::is_same_v<T, std::string>) {
      if (is_path && !value.empty()) visit_(path, value);
    } else if constexpr (std::is_same_v<T, AnyOptions>) {
      value.visit(path, visit_);
    } else if constexpr (IsOptional<T>::value) {
      if (value) walk(*value, path, is_path);
    } else if constexpr (IsVector<T>::value) {
      if constexpr (!std::is_arithmetic_v<typename T::value_type>) {
        for (auto& item : value)
          walk(item, path, is_path);
      }
    } else if constexpr (IsMap<T>::value) {
      for (auto& [key, item] : value)
        walk(item, child(path, key), is_path);
    } else if constexpr (HasFields<T>) {
      visit_paths(value, path, visit_);
    }
  }

  std::string path_;
  const F& visit_;
};

template <class T, class F>
void visit_paths(T& options, const std::string& path, const F& visit) {
  PathVisitor<F> visitor(path, visit);
  options.fields(visitor);
}

}  // namespace fields_detail

// Calls visit(key, path) for each, in order of declaration; `path` may be
// rewritten.
template <class T, class F>
void for_each_path(T& options, const F& visit) {
  fields_detail::visit_paths(options, "", visit);
}

// The keys of all paths that are given.
template <class T>
std::set<std::string> path_keys(const T& options) {
  std::set<std::string> keys;
  // A visitor of a const struct only looks.
  for_each_path(const_cast<T&>(options), [&](const std::string& key, auto&) {
    keys.insert(key);
  });
  return keys;
}

}  // namespace moft
