// Ranges, required fields and each struct's own check(); see core/fields.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "moft/core/any_options.h"
#include "moft/core/field_attributes.h"
#include "moft/core/field_writing.h"

namespace moft::fields_detail {

// In fields.cpp. All throw CallerError.
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
  } else if constexpr (std::is_same_v<T, AnyOptions>) {
    value.check(path);
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

}  // namespace moft::fields_detail
