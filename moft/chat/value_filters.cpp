// Numbers, defaults, lengths and groups.
#include "moft/chat/value_filters.h"

#include <cmath>
#include <memory>

#include "moft/chat/arguments.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"
#include "moft/chat/methods.h"
#include "moft/chat/numbers.h"

namespace moft::jinja {

namespace {

Value filter_default(Run&, Arguments arguments) {
  const Bound bound(
      std::move(arguments),
      "default",
      {"value", "default_value", "boolean"},
      1);
  const bool otherwise =
      bound[0].is_undefined() || (bound.truth(2, false) && !is_true(bound[0]));
  if (!otherwise) return bound[0];
  return bound.has(1) ? bound[1] : Value::constant("");
}

Value filter_length(Run&, Arguments arguments) {
  const Bound bound(std::move(arguments), "length", {"obj"}, 1);
  const auto size = size_of(bound[0]);
  if (!size) fault("a '{}' has no length", type_name(bound[0]));
  return static_cast<std::int64_t>(*size);
}

Value filter_abs(Run&, Arguments arguments) {
  const Bound bound(std::move(arguments), "abs", {"x"}, 1);
  double number = 0;
  if (!bound[0].number(number)) {
    need_defined(bound[0]);
    fault("'abs' needs a number, not a '{}'", type_name(bound[0]));
  }
  return signed_number(bound[0], std::signbit(number));
}

Value filter_int(Run&, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "int", {"value", "default", "base"}, 1);
  const Value otherwise = bound.has(1) ? bound[1] : Value(0);
  const Value& value = bound[0];
  need_defined(value);
  const bool from = value.from_conversation();
  std::int64_t whole = 0;
  if (value.integer(whole)) return Value(whole).set_from_conversation(from);
  if (const auto* real = value.get<double>()) {
    if (std::isnan(*real)) return otherwise;
    return Value(whole_part(*real)).set_from_conversation(from);
  }
  const MarkedText* text = value.text();
  if (text == nullptr) return otherwise;
  const std::int64_t base = bound.whole(2, 10);
  if (base != 0 && (base < 2 || base > 36)) return otherwise;
  auto number = parse_whole(text->bytes(), static_cast<int>(base));
  const auto real = parse_float(text->bytes());
  if (!number && real && std::isfinite(*real)) number = whole_part(*real);
  if (!number) return otherwise;
  return Value(*number).set_from_conversation(
      (text->any_marks() & kFromConversation) != 0);
}

Value filter_float(Run&, Arguments arguments) {
  const Bound bound(std::move(arguments), "float", {"value", "default"}, 1);
  const Value otherwise = bound.has(1) ? bound[1] : Value(0.0);
  need_defined(bound[0]);
  double number = 0;
  if (bound[0].number(number)) {
    return Value(number).set_from_conversation(bound[0].from_conversation());
  }
  const MarkedText* text = bound[0].text();
  const auto parsed = text ? parse_float(text->bytes()) : std::nullopt;
  if (!parsed) return otherwise;
  return Value(*parsed).set_from_conversation(
      (text->any_marks() & kFromConversation) != 0);
}

Value filter_round(Run&, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "round", {"value", "precision", "method"}, 1);
  const std::string method = bound.optional_text(2).value_or("common");
  const std::int64_t precision = bound.whole(1, 0);
  double number = 0;
  std::int64_t whole = 0;
  if (!bound[0].number(number)) {
    need_defined(bound[0]);
    fault("'round' needs a number, not a '{}'", type_name(bound[0]));
  }
  if (precision < -300 || precision > 300)
    fault("'round' takes at most 300 digits");
  const bool is_whole = bound[0].integer(whole);
  Value result;
  if (method == "common") {
    if (is_whole && precision < 0)
      fault("'round' of a whole number to tens is not supported");
    result = is_whole ? Value(whole)
                      : Value(rounded(number, static_cast<int>(precision)));
  } else if (method == "ceil" || method == "floor") {
    const double unit = std::pow(10.0, static_cast<double>(precision));
    const double scaled = number * unit;
    // Python rounds to a whole number, which has no negative zero.
    const double part =
        method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
    result = is_whole && precision >= 0 ? number : (part + 0.0) / unit;
  } else {
    fault("'round' knows the methods common, ceil and floor");
  }
  return result.set_from_conversation(bound[0].from_conversation());
}

// Lists of `size` items each; the last filled up.
Value filter_batch(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "batch", {"value", "linecount", "fill_with"}, 2);
  const std::int64_t size = bound.whole(1, 0);
  const Value fill = bound.is_set(2) ? bound[2] : Value();
  if (size < 1) fault("'batch' needs a size of at least 1");
  run.budget().will_need(static_cast<double>(size) * sizeof(Value));
  auto cursor = std::make_shared<Cursor>(bound[0], run.budget());
  return iterator_value(
      [&run, cursor, size, fill](Value& batch) {
        std::vector<Value> items;
        Value item;
        while (static_cast<std::int64_t>(items.size()) < size &&
               cursor->next(item))
          items.push_back(item);
        if (items.empty()) return false;
        if (!fill.is_missing())
          items.resize(static_cast<std::size_t>(size), fill);
        batch = run.list(std::move(items));
        return true;
      },
      bound[0].depth() + fill.depth() + 1,
      run.budget());
}

// A number of lists of about the same length.
Value filter_slice(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "slice", {"value", "slices", "fill_with"}, 2);
  const std::int64_t slices = bound.whole(1, 0);
  if (slices < 1) fault("'slice' needs a number of at least 1");
  run.budget().will_need(static_cast<double>(slices) * 200);
  run.budget().steps(slices);
  const std::vector<Value> items = items_of(bound[0], run.budget());
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t each = size / slices;
  const std::int64_t longer = size % slices;
  std::vector<Value> lists;
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    const std::int64_t end = at + each + (i < longer ? 1 : 0);
    std::vector<Value> list(items.begin() + at, items.begin() + end);
    if (bound.is_set(2) && i >= longer) list.push_back(bound[2]);
    lists.push_back(run.list(std::move(list)));
    at = end;
  }
  auto left =
      std::make_shared<Cursor>(run.list(std::move(lists)), run.budget());
  return iterator_value(
      [left](Value& list) { return left->next(list); },
      bound[0].depth() + 2,
      run.budget());
}

Value filter_attr(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "attr", {"obj", "name"}, 2);
  need_defined(bound[0]);
  const std::string& name = bound.text(1).bytes();
  Value found = method_of(run, bound[0], name);
  if (!found.is_missing()) return found;
  return Value::undefined(fmt::format(
      "'{} object' has no attribute '{}'", type_name(bound[0]), name));
}

constexpr NamedFilter kValueFilters[] = {
    {"abs", filter_abs},
    {"attr", filter_attr},
    {"batch", filter_batch},
    {"count", filter_length},
    {"d", filter_default},
    {"default", filter_default},
    {"float", filter_float},
    {"int", filter_int},
    {"length", filter_length},
    {"round", filter_round},
    {"slice", filter_slice},
};

}  // namespace

std::span<const NamedFilter> value_filters() {
  return kValueFilters;
}

}  // namespace moft::jinja
