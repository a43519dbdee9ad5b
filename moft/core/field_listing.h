// The fields of a struct as documentation shows them; see core/fields.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "moft/core/any_options.h"
#include "moft/core/field_attributes.h"
#include "moft/core/field_writing.h"
#include "moft/core/settings_emit.h"

namespace moft {

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

std::string describe_range(const Range& range);  // in fields.cpp

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
    if constexpr (IsVector<T>::value) {
      if (declaration.one_or_more) {
        entry.type = type_name<typename T::value_type>(/*plural=*/false) +
                     " or " + entry.type;
      }
    }
    bool absent = false;
    if constexpr (IsMap<T>::value) {
      if (declaration.one_or_more) {
        entry.type = type_name<typename T::mapped_type>(/*plural=*/false) +
                     " or " + entry.type;
        absent = value.empty();
      }
    }
    entry.unit = declaration.help.unit;
    entry.help = declaration.help.text;
    entry.required = declaration.required;
    if (declaration.range) entry.allowed = describe_range(*declaration.range);
    if constexpr (IsOptional<T>::value) absent = !value.has_value();
    if constexpr (std::is_same_v<T, AnyOptions>) {
      entry.is_section = true;
      out_.push_back(entry);
      value.list(entry.path, out_);
      return;
    }
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
    list_fields<T>(entry.path + std::string(suffix), out_);
  }

  std::string path_;
  std::vector<FieldDescription>& out_;
};

template <class T>
void list_fields(const std::string& path, std::vector<FieldDescription>& out) {
  T defaults{};
  Lister lister(path, out);
  defaults.fields(lister);
}

}  // namespace fields_detail

}  // namespace moft
