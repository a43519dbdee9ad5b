// The fields of a struct into a settings tree; see core/fields.h.
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

namespace moft::fields_detail {

// In fields.cpp.
Node bool_node(bool value);
Node integer_node(std::int64_t value);
Node real_node(double value);
Node string_node(std::string value);
// Dotted paths of the values that differ, in the order of `a`.
std::vector<std::string> differing_paths(const Node& a, const Node& b);

template <class T>
Node write_value(const T& value);

class Writer {
 public:
  template <class T, class... Attributes>
  void operator()(
      std::string_view name, T& value, const Attributes&... attributes) {
    if constexpr (IsOptional<T>::value) {
      if constexpr (HasFields<typename T::value_type>) {
        if (!value) return;
      }
    }
    if constexpr (std::is_same_v<T, AnyOptions>) {
      if (!value) return;
    }
    if constexpr (IsVector<T>::value) {
      if (declare(attributes...).one_or_more && value.size() == 1) {
        node_.members.push_back(
            {std::string(name), write_value(value.front())});
        return;
      }
    }
    if constexpr (IsMap<T>::value) {
      const bool one = value.size() == 1 && value.begin()->first.empty();
      if (declare(attributes...).one_or_more && (one || value.empty())) {
        node_.members.push_back(
            {std::string(name),
             one ? write_value(value.begin()->second) : Node{}});
        return;
      }
    }
    node_.members.push_back({std::string(name), write_value(value)});
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
  } else if constexpr (std::is_same_v<T, AnyOptions>) {
    return value.write();
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
      node.members.push_back({key, write_value(item)});
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

}  // namespace moft::fields_detail
