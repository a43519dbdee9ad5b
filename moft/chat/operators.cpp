// Arithmetic, cutting and looking up.
#include "moft/chat/operators.h"

#include <algorithm>
#include <cmath>

#include "moft/chat/formatting.h"
#include "moft/chat/methods.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

using Whole = std::int64_t;

[[noreturn]] void too_large() {
  fault("a whole number of the template does not fit into 64 bits");
}

Whole power(Whole base, Whole exponent) {
  Whole result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result))
      too_large();
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) too_large();
  }
  return result;
}

Value whole_operation(Whole x, Whole y, std::string_view op) {
  Whole result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(x, y, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(x, y, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(x, y, &result);
  } else if (op == "**") {
    result = power(x, y);
  } else {
    // Python's quotient is rounded down; its rest has the sign of y.
    Whole rest = y == -1 ? 0 : x % y;
    if (rest != 0 && (rest < 0) != (y < 0)) rest += y;
    result = rest;
    if (op == "//" && !__builtin_sub_overflow(x, rest, &result)) {
      overflow = y == -1 && __builtin_sub_overflow(0, result, &result);
      if (y != -1) result /= y;
    }
  }
  if (overflow) too_large();
  return result;
}

Value real_operation(double x, double y, std::string_view op) {
  if (op == "+") return x + y;
  if (op == "-") return x - y;
  if (op == "*") return x * y;
  if (op == "/") return x / y;
  if (op == "**") {
    const double result = std::pow(x, y);
    if (!std::isfinite(result) && std::isfinite(x) && std::isfinite(y))
      fault("{} ** {} is not a number of 64 bits", x, y);
    return result;
  }
  double rest = std::fmod(x, y);
  if (rest != 0 && (rest < 0) != (y < 0)) rest += y;
  if (rest == 0) rest = std::copysign(0.0, y);
  if (op == "%") return rest;
  const double quotient = (x - rest) / y;
  if (quotient == 0) return std::copysign(0.0, x / y);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

// Missing if one is not a number.
Value number_operation(const Value& a, const Value& b, std::string_view op) {
  Whole whole_x = 0;
  Whole whole_y = 0;
  double x = 0;
  double y = 0;
  if (!a.number(x) || !b.number(y)) return {};
  if (y == 0 && (op == "%" || op[0] == '/')) fault("division by zero");
  const bool is_whole = a.integer(whole_x) && b.integer(whole_y) && op != "/" &&
                        !(op == "**" && whole_y < 0);
  Value result = is_whole ? whole_operation(whole_x, whole_y, op)
                          : real_operation(x, y, op);
  return result.set_from_conversation(
      a.from_conversation() || b.from_conversation());
}

Value repeated(Run& run, const Value& value, std::int64_t times) {
  const MarkedText* text = value.text();
  const std::size_t size =
      text != nullptr ? text->size() : value.sequence()->items.size();
  if (size == 0) return value;
  times = std::max<std::int64_t>(times, 0);
  run.budget().will_need(
      static_cast<double>(times) * static_cast<double>(size) *
      (text != nullptr ? 1 : sizeof(Value)));
  run.budget().copies(static_cast<std::size_t>(times) * size);
  MarkedText result;
  std::vector<Value> items;
  for (std::int64_t i = 0; i < times; ++i) {
    if (text != nullptr) {
      result.append(*text);
    } else {
      const auto& more = value.sequence()->items;
      items.insert(items.end(), more.begin(), more.end());
    }
  }
  if (text != nullptr)
    return run.text(std::move(result)).set_safe(value.is_safe());
  return run.list(std::move(items), value.sequence()->flavour)
      .set_from_conversation(value.from_conversation());
}

// Missing if the two have no such operation.
Value operation_or_missing(
    Run& run, const Value& a, const Value& b, std::string_view op) {
  std::int64_t times = 0;
  if (op == "%" && a.text() != nullptr) return percent_format(run, a, b);
  if (op == "+" && a.text() != nullptr && b.text() != nullptr) {
    const bool is_safe = a.is_safe() || b.is_safe();
    MarkedText text = inserted_in(is_safe, a, run.budget());
    text.append(inserted_in(is_safe, b, run.budget()));
    return run.text(std::move(text)).set_safe(is_safe);
  }
  if (op == "+" && is_list(a) && is_list(b) &&
      a.sequence()->flavour == b.sequence()->flavour) {
    std::vector<Value> items = a.sequence()->items;
    const auto& more = b.sequence()->items;
    items.insert(items.end(), more.begin(), more.end());
    return run.list(std::move(items), a.sequence()->flavour)
        .set_from_conversation(a.from_conversation() || b.from_conversation());
  }
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
  const MarkedText& text = *object.text();
  const auto place = place_in(text.length(), index);
  if (!place) return {};
  if (text.length() != text.size()) run.budget().copies(*place);
  const std::size_t from = text.offset_of(*place);
  return run.text(text.part(from, from + character_size(text.bytes(), from)))
      .set_safe(object.is_safe());
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
  if (op != "%" || a.text() == nullptr) need_defined(b);
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
    const MarkedText& text = *values.text();
    run.budget().copies(text.size());
    if (bounds.step != 1)
      run.budget().will_need(16 * static_cast<double>(text.length()));
    return run.text(slice(text, bounds)).set_safe(values.is_safe());
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
