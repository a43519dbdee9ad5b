// The arguments of a call, matched with the parameters of what is called.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/chat/value.h"

namespace moft::jinja {

class Bound {
 public:
  // Python's rules for positions and names. Fault for an argument that is too
  // many, unknown or missing: the first `required` have to be given.
  Bound(
      Arguments arguments,
      std::string_view function,
      std::initializer_list<const char*> parameters,
      std::size_t required);

  // Missing if it was not given.
  const Value& operator[](std::size_t i) const { return values_[i]; }
  bool has(std::size_t i) const { return !values_[i].is_missing(); }
  // Given and not none.
  bool is_set(std::size_t i) const { return has(i) && !values_[i].is_none(); }

  // Each is a Fault for values of other kinds.
  std::int64_t whole(std::size_t i, std::int64_t otherwise) const;
  bool truth(std::size_t i, bool otherwise) const;
  const MarkedText& text(std::size_t i) const;
  std::optional<std::string> optional_text(std::size_t i) const;

 private:
  std::string function_;
  std::vector<Value> values_;
};

}  // namespace moft::jinja
