// Matching arguments with parameters.
#include "moft/chat/arguments.h"

#include "moft/chat/fault.h"
#include "moft/core/text.h"

namespace moft::jinja {

Bound::Bound(
    Arguments arguments,
    std::string_view function,
    std::initializer_list<const char*> parameters,
    std::size_t required)
    : function_(function), values_(std::move(arguments.positional)) {
  if (values_.size() > parameters.size()) {
    fault(
        "'{}' takes {} arguments, not {}",
        function_,
        parameters.size(),
        values_.size());
  }
  const std::size_t positional = values_.size();
  values_.resize(parameters.size());
  for (auto& [name, value] : arguments.named) {
    std::size_t i = 0;
    for (const char* parameter : parameters) {
      if (name == parameter) break;
      ++i;
    }
    if (i == values_.size())
      fault("'{}' has no argument {}", function_, quote_text(name));
    if (i < positional)
      fault("'{}' is given {} twice", function_, quote_text(name));
    values_[i] = std::move(value);
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!has(i))
      fault("'{}' needs its argument {}", function_, parameters.begin()[i]);
  }
}

std::int64_t Bound::whole(std::size_t i, std::int64_t otherwise) const {
  if (!has(i)) return otherwise;
  need_defined(values_[i]);
  std::int64_t result = 0;
  if (!values_[i].integer(result)) {
    fault(
        "'{}' needs a whole number, not a '{}'",
        function_,
        type_name(values_[i]));
  }
  return result;
}

bool Bound::truth(std::size_t i, bool otherwise) const {
  return has(i) ? is_true(values_[i]) : otherwise;
}

const MarkedText& Bound::text(std::size_t i) const {
  need_defined(values_[i]);
  const MarkedText* text = values_[i].text();
  if (text == nullptr)
    fault("'{}' needs a text, not a '{}'", function_, type_name(values_[i]));
  return *text;
}

std::optional<std::string> Bound::optional_text(std::size_t i) const {
  if (!is_set(i)) return std::nullopt;
  return text(i).bytes();
}

}  // namespace moft::jinja
