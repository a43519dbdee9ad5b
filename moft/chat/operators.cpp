// Operators by Python's rules.
#include "moft/chat/operators.h"

#include <algorithm>

#include "moft/chat/fault.h"
#include "moft/chat/methods.h"
#include "moft/chat/numbers.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_format.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// Markup escapes the plain text that it meets.
MarkedText joined(const Value& a, const Value& b) {
  const bool is_markup = a.is_markup() || b.is_markup();
  const auto part = [&](const Value& value) {
    return is_markup && !value.is_markup() ? escaped(*value.text())
                                           : *value.text();
  };
  MarkedText text = part(a);
  text.append(part(b));
  return text;
}

Value repeated(Run& run, const Value& value, std::int64_t times) {
  times = std::max<std::int64_t>(times, 0);
  const auto count = static_cast<double>(times);
  if (const MarkedText* text = value.text()) {
    const double bytes = count * static_cast<double>(text->size());
    run.budget().will_need(bytes);
    run.budget().copies(static_cast<std::size_t>(bytes));
    MarkedText result;
    for (std::int64_t i = 0; i < times && !text->empty(); ++i)
      result.append(*text);
    return run.text(std::move(result), value.is_markup());
  }
  const Sequence& list = *value.sequence();
  const double bytes = count * static_cast<double>(list.items.size()) *
                       static_cast<double>(sizeof(Value));
  run.budget().will_need(bytes);
  run.budget().copies(static_cast<std::size_t>(bytes));
  std::vector<Value> items;
  for (std::int64_t i = 0; i < times && !list.items.empty(); ++i)
    items.insert(items.end(), list.items.begin(), list.items.end());
  return run.list(std::move(items), list.flavour)
      .set_from_conversation(value.from_conversation());
}

bool is_list(const Value& value) {
  const Sequence* list = value.sequence();
  return list != nullptr &&
         (list->flavour == Flavour::kList || list->flavour == Flavour::kTuple);
}

// Missing if the two have no such operation.
Value operation_or_missing(
    Run& run, const Value& a, const Value& b, std::string_view op) {
  if (op == "%" && a.text() != nullptr) return percent_format(run, a, b);
  if (op == "+" && a.text() != nullptr && b.text() != nullptr)
    return run.text(joined(a, b), a.is_markup() || b.is_markup());
  const bool lists = is_list(a) && is_list(b);
  if (op == "+" && lists && a.sequence()->flavour == b.sequence()->flavour) {
    std::vector<Value> items = a.sequence()->items;
    const auto& more = b.sequence()->items;
    items.insert(items.end(), more.begin(), more.end());
    return run.list(std::move(items), a.sequence()->flavour)
        .set_from_conversation(a.from_conversation() || b.from_conversation());
  }
  std::int64_t times = 0;
  if (op == "*" && (a.text() != nullptr || is_list(a)) && b.integer(times))
    return repeated(run, a, times);
  if (op == "*" && (b.text() != nullptr || is_list(b)) && a.integer(times))
    return repeated(run, b, times);
  return number_operation(a, b, op);
}

std::optional<std::int64_t> bound_of(const Value& value) {
  if (value.is_missing() || value.is_none()) return std::nullopt;
  need_defined(value);
  std::int64_t bound = 0;
  if (!value.integer(bound))
    fault("a slice takes whole numbers, not a '{}'", type_name(value));
  return bound;
}

Value element_of(Run& run, const Sequence& list, std::int64_t index) {
  const auto size = static_cast<std::int64_t>(list.items.size());
  const bool views = list.flavour != Flavour::kList &&
                     list.flavour != Flavour::kTuple &&
                     list.flavour != Flavour::kRange;
  if (index < 0) index += size;
  run.budget().step();
  if (views || index < 0 || index >= size) return {};
  return list.items[static_cast<std::size_t>(index)];
}

Value character_of(Run& run, const Value& value, std::int64_t index) {
  const MarkedText& text = *value.text();
  const auto length = static_cast<std::int64_t>(text.length());
  if (index < 0) index += length;
  if (index < 0 || index >= length) return {};
  const auto place = static_cast<std::size_t>(index);
  if (text.length() != text.size()) run.budget().copies(place);
  const std::size_t from = text.offset_of(place);
  return run.text(
      text.part(from, from + character_size(text.bytes(), from)),
      value.is_markup());
}

// object[key] of Python; Missing where that raises a TypeError or LookupError.
Value plain_item(Run& run, const Value& object, const Value& key) {
  std::int64_t index = 0;
  if (const Dict* dict = object.dict()) {
    if (const MarkedText* name = key.text()) {
      const Value* item = dict->find(name->bytes());
      return item == nullptr ? Value() : *item;
    }
    double number = 0;
    const bool plain =
        key.number(number) || key.is_none() || key.is_undefined();
    if (!plain) return {};
    const Value* item = dict->find(key);
    return item == nullptr ? Value() : *item;
  }
  if (!key.integer(index)) return {};
  if (const Sequence* list = object.sequence())
    return element_of(run, *list, index);
  if (object.text() != nullptr) return character_of(run, object, index);
  return {};
}

// How jinja2's messages name the object.
std::string object_name(const Value& object) {
  return object.is_none() ? "None" : type_name(object) + " object";
}

}  // namespace

Value binary_operation(
    Run& run, const Value& a, const Value& b, std::string_view op) {
  run.budget().step();
  need_defined(a);
  if (op != "%" || a.text() == nullptr) need_defined(b);
  Value result = operation_or_missing(run, a, b, op);
  if (result.is_missing()) {
    fault(
        "'{}' does not work on '{}' and '{}'", op, type_name(a), type_name(b));
  }
  return result;
}

Value slice_of(
    Run& run,
    const Value& values,
    const Value& start,
    const Value& stop,
    const Value& step) {
  need_defined(values);
  const SliceBounds bounds{
      bound_of(start), bound_of(stop), bound_of(step).value_or(1)};
  if (bounds.step == 0) fault("a slice cannot go in steps of 0");
  if (const MarkedText* text = values.text()) {
    run.budget().copies(text->size());
    return run.text(slice(*text, bounds), values.is_markup());
  }
  const Sequence* list = values.sequence();
  if (list == nullptr || list->flavour > Flavour::kRange)
    fault("a '{}' cannot be sliced", type_name(values));
  if (list->flavour == Flavour::kRange)
    fault("a slice of a range is not supported");
  const SlicePlaces places = places_of(bounds, list->items.size());
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(places.count));
  for (std::int64_t i = 0; i < places.count; ++i)
    items.push_back(
        list->items[static_cast<std::size_t>(places.first + i * places.step)]);
  return run.list(std::move(items), list->flavour)
      .set_from_conversation(values.from_conversation());
}

Value attribute_of(Run& run, const Value& object, const std::string& name) {
  run.budget().step();
  need_defined(object);
  Value result = method_of(run, object, name);
  if (result.is_missing()) {
    if (const Dict* dict = object.dict()) {
      const Value* item = dict->find(name);
      if (item != nullptr) return *item;
    }
  }
  if (!result.is_missing()) return result;
  return Value::undefined(fmt::format(
      "'{}' has no attribute {}", object_name(object), quote_text(name)));
}

Value item_of(Run& run, const Value& object, const Value& key) {
  run.budget().step();
  need_defined(object);
  Value result = plain_item(run, object, key);
  if (result.is_missing() && key.text() != nullptr)
    result = method_of(run, object, key.text()->bytes());
  if (!result.is_missing()) return result;
  std::string shown = "that key";
  if (key.text() != nullptr) shown = quote_text(key.text()->bytes());
  std::int64_t index = 0;
  if (key.integer(index)) shown = std::to_string(index);
  return Value::undefined(
      fmt::format("'{}' has no item {}", object_name(object), shown));
}

Value path_of(Run& run, Value object, const Value& path) {
  const MarkedText* text = path.text();
  if (text == nullptr) return item_of(run, object, path);
  for (const std::string& part : split(text->bytes(), '.')) {
    const bool is_index =
        !part.empty() && part.size() < 10 &&
        part.find_first_not_of("0123456789") == std::string::npos;
    const Value key =
        is_index ? Value(std::int64_t{std::stoi(part)}) : Value::constant(part);
    object = item_of(run, object, key);
  }
  return object;
}

}  // namespace moft::jinja
