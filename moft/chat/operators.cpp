// Arithmetic, cutting and looking up.
#include "moft/chat/operators.h"

#include <algorithm>

#include "moft/chat/methods.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

using Whole = std::int64_t;

// Missing if one is not a whole number.
Value number_operation(const Value& a, const Value& b, std::string_view op) {
  Whole x = 0;
  Whole y = 0;
  Whole result = 0;
  bool overflow = false;
  if (a.is<double>() || b.is<double>())
    fault("'{}' of a number with a fraction is not supported", op);
  if (!a.integer(x) || !b.integer(y)) return {};
  if (op == "+") {
    overflow = __builtin_add_overflow(x, y, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(x, y, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(x, y, &result);
  } else {
    if (y == 0) fault("division by zero");
    // Python's rest has the sign of b.
    result = y == -1 ? 0 : x % y;
    if (result != 0 && (result < 0) != (y < 0)) result += y;
  }
  if (overflow)
    fault("a whole number of the template does not fit into 64 bits");
  return Value(result).set_from_conversation(
      a.from_conversation() || b.from_conversation());
}

Value repeated(Run& run, const Value& value, std::int64_t times) {
  const MarkedText& text = plain_text(value, "'*'");
  if (text.empty()) return value;
  times = std::max<std::int64_t>(times, 0);
  run.budget().will_need(
      static_cast<double>(times) * static_cast<double>(text.size()));
  run.budget().copies(static_cast<std::size_t>(times) * text.size());
  MarkedText result;
  for (std::int64_t i = 0; i < times; ++i)
    result.append(text);
  return run.text(std::move(result));
}

bool is_list(const Value& value) {
  return value.sequence() != nullptr &&
         value.sequence()->flavour <= Flavour::kTuple;
}

// Missing if the two have no such operation.
Value operation_or_missing(
    Run& run, const Value& a, const Value& b, std::string_view op) {
  std::int64_t times = 0;
  if (op == "%" && a.text() != nullptr)
    fault("'%' of a text (formatting) is not supported");
  if (op == "+" && a.text() != nullptr && b.text() != nullptr) {
    MarkedText text = plain_text(a, "'+'");
    text.append(plain_text(b, "'+'"));
    return run.text(std::move(text));
  }
  if (op == "+" && is_list(a) && is_list(b) &&
      a.sequence()->flavour == b.sequence()->flavour) {
    std::vector<Value> items = a.sequence()->items;
    const auto& more = b.sequence()->items;
    items.insert(items.end(), more.begin(), more.end());
    return run.list(std::move(items), a.sequence()->flavour)
        .set_from_conversation(a.from_conversation() || b.from_conversation());
  }
  if (op == "*" && a.text() != nullptr && b.integer(times))
    return repeated(run, a, times);
  if (op == "*" && b.text() != nullptr && a.integer(times))
    return repeated(run, b, times);
  if (op == "*" && (is_list(a) || is_list(b)))
    fault("'*' of a list is not supported");
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

// The place of an index that may count from the end; nothing beyond it.
std::optional<std::size_t> place_in(std::size_t size, std::int64_t index) {
  const auto signed_size = static_cast<std::int64_t>(size);
  if (index < 0) index += signed_size;
  if (index < 0 || index >= signed_size) return std::nullopt;
  return static_cast<std::size_t>(index);
}

// object[key] of Python; Missing where that raises a TypeError or LookupError.
Value plain_item(Run& run, const Value& object, const Value& key) {
  std::int64_t index = 0;
  if (const Dict* dict = object.dict()) {
    const Value* item = dict->find(key);
    return item == nullptr ? Value() : *item;
  }
  if (!key.integer(index)) return {};
  const Sequence* list = object.sequence();
  if (list != nullptr && list->flavour <= Flavour::kRange) {
    const auto place = place_in(list->items.size(), index);
    return place ? list->items[*place] : Value();
  }
  if (object.text() == nullptr) return {};
  const MarkedText& text = plain_text(object, "a subscript");
  const auto place = place_in(text.length(), index);
  if (!place) return {};
  if (text.length() != text.size()) run.budget().copies(*place);
  const std::size_t from = text.offset_of(*place);
  return run.text(text.part(from, from + character_size(text.bytes(), from)));
}

// The message names the object as jinja2's do.
Value nothing_at(
    const Value& object, std::string_view what, std::string_view name) {
  return Value::undefined(fmt::format(
      "'{}' has no {} {}",
      object.is_none() ? "None" : type_name(object) + " object",
      what,
      name));
}

}  // namespace

Value binary_operation(
    Run& run, const Value& a, const Value& b, std::string_view op) {
  Budget& budget = run.budget();
  budget.step();
  if (op == "==") return equal(a, b, budget);
  if (op == "!=") return !equal(a, b, budget);
  if (op == "<") return less(a, b, budget);
  if (op == ">") return less(b, a, budget);
  if (op == "<=") return less(a, b, budget) || equal(a, b, budget);
  if (op == ">=") return less(b, a, budget) || equal(a, b, budget);
  if (op == "in") return contains(b, a, budget);
  if (op == "not in") return !contains(b, a, budget);
  need_defined(a);
  need_defined(b);
  Value result = operation_or_missing(run, a, b, op);
  if (result.is_missing()) {
    fault(
        "'{}' does not work on '{}' and '{}'", op, type_name(a), type_name(b));
  }
  return result;
}

Value negated(const Value& a) {
  need_defined(a);
  if (const auto* real = a.get<double>())
    return Value(-*real).set_from_conversation(a.from_conversation());
  const Value result = number_operation(Value(0), a, "-");
  if (result.is_missing()) fault("a '{}' has no negative", type_name(a));
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
  if (values.text() != nullptr) {
    const MarkedText& text = plain_text(values, "a slice");
    run.budget().copies(text.size());
    if (bounds.step != 1)
      run.budget().will_need(16 * static_cast<double>(text.length()));
    return run.text(slice(text, bounds));
  }
  if (!is_list(values)) fault("a '{}' cannot be sliced", type_name(values));
  const Sequence& list = *values.sequence();
  std::vector<Value> items;
  const SlicePlaces places = places_of(bounds, list.items.size());
  for (std::int64_t i = 0; i < places.count; ++i)
    items.push_back(list.items[places[i]]);
  return run.list(std::move(items), list.flavour)
      .set_from_conversation(values.from_conversation());
}

Value attribute_of(Run& run, const Value& object, const std::string& name) {
  run.budget().step();
  need_defined(object);
  Value result = method_of(run, object, name);
  if (!result.is_missing()) return result;
  const Dict* dict = object.dict();
  const Value* item = dict == nullptr ? nullptr : dict->find(name);
  if (item != nullptr) return *item;
  return nothing_at(object, "attribute", quote_text(name));
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
  return nothing_at(object, "item", shown);
}

Value path_of(Run& run, Value object, const Value& path) {
  if (path.text() == nullptr) return item_of(run, object, path);
  for (const std::string& part : split(path.text()->bytes(), '.')) {
    const auto index = parse_integer(part);
    const Value key = index ? Value(*index) : Value::constant(part);
    object = item_of(run, object, key);
  }
  return object;
}

}  // namespace moft::jinja
