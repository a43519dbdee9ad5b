// Filters on numbers and any values, those that call others, and the search by
// name.
#include "moft/chat/filters.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "moft/chat/formatting.h"
#include "moft/chat/list_filters.h"
#include "moft/chat/methods.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/template_tests.h"
#include "moft/chat/text_cases.h"
#include "moft/chat/text_filters.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

Value filter_abs(Run& run, const Bound& bound) {
  double number = 0;
  need_defined(bound[0]);
  if (!bound[0].number(number))
    fault("'abs' needs a number, not a '{}'", type_name(bound[0]));
  return number < 0 ? negated(bound[0])
                    : binary_operation(run, bound[0], Value(0), "+");
}

Value filter_attr(Run& run, const Bound& bound) {
  need_defined(bound[0]);
  const std::string& name = bound.text(1).bytes();
  Value found = method_of(run, bound[0], name);
  if (!found.is_missing()) return found;
  return Value::undefined(fmt::format(
      "'{} object' has no attribute '{}'", type_name(bound[0]), name));
}

// The number that a text writes in decimal digits, with blanks around it.
// Fault for others that Python reads, such as "1_000" and "inf".
std::optional<double> real_of(
    Run& run, const MarkedText& text, std::string_view filter) {
  run.budget().copies(8 * text.size());
  const MarkedText stripped = lower(strip(text, nullptr, Side::kBoth));
  const std::string& digits = stripped.bytes();
  const std::size_t sign = digits.find_first_not_of("+-");
  const std::string_view rest = std::string_view(digits).substr(
      sign == std::string::npos ? digits.size() : sign);
  const bool is_plain =
      digits.find_first_not_of("0123456789.e+-_") == digits.npos;
  if (rest == "inf" || rest == "infinity" || rest == "nan" ||
      (is_plain && digits.find('_') != digits.npos) ||
      (answer(stripped, "isdecimal") && !answer(stripped, "isascii")))
    fault("'{}' of {} is not supported", filter, quote_text(digits));
  if (!is_plain || digits.empty()) return std::nullopt;
  char* end = nullptr;
  const double real = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size()) return std::nullopt;
  return real;
}

Value whole_of(double real) {
  if (!(real > -0x1p63 && real < 0x1p63))
    fault("a number of 'int' is beyond 64 bits");
  return static_cast<std::int64_t>(real);
}

Value filter_int(Run& run, const Bound& bound) {
  need_defined(bound[0]);
  const Value otherwise = bound.has(1) ? bound[1] : Value(0);
  if (bound.whole(2, 10) != 10) fault("'int' of another base is not supported");
  std::int64_t whole = 0;
  double real = 0;
  Value result = otherwise;
  if (const MarkedText* text = bound[0].text()) {
    const std::string digits = strip(*text, nullptr, Side::kBoth).bytes();
    const auto number = parse_integer(digits);
    const auto fraction = real_of(run, *text, "int");
    if (!number && !fraction) return otherwise;
    result = number ? Value(*number) : whole_of(*fraction);
    return result.set_from_conversation(
        (text->any_marks() & kFromConversation) != 0);
  }
  if (bound[0].integer(whole)) {
    result = whole;
  } else if (bound[0].number(real)) {
    result = whole_of(real);
  } else {
    return otherwise;
  }
  return result.set_from_conversation(bound[0].from_conversation());
}

Value filter_float(Run& run, const Bound& bound) {
  need_defined(bound[0]);
  std::optional<double> real;
  double number = 0;
  bool from = bound[0].from_conversation();
  if (const MarkedText* text = bound[0].text()) {
    real = real_of(run, *text, "float");
    from = (text->any_marks() & kFromConversation) != 0;
  }
  if (bound[0].number(number)) real = number;
  if (!real) return bound.has(1) ? bound[1] : Value(0.0);
  return Value(*real).set_from_conversation(from);
}

Value filter_round(Run&, const Bound& bound) {
  double real = 0;
  std::int64_t whole = 0;
  need_defined(bound[0]);
  if (!bound[0].number(real))
    fault("'round' needs a number, not a '{}'", type_name(bound[0]));
  const std::int64_t digits = bound.whole(1, 0);
  const std::string method = bound.has(2) ? bound.text(2).bytes() : "common";
  if (digits < 0 || digits > 300)
    fault("'round' to {} digits is not supported", digits);
  Value result;
  if (method == "common") {
    const std::string rounded = fmt::format("{:.{}f}", real, digits);
    result = std::strtod(rounded.c_str(), nullptr);
    if (bound[0].integer(whole)) result = whole;
  } else if (method == "ceil" || method == "floor") {
    const double unit = std::pow(10.0, static_cast<double>(digits));
    const bool up = method == "ceil";
    const double part = up ? std::ceil(real * unit) : std::floor(real * unit);
    // Python rounds to a whole number, which has no negative zero.
    result = bound[0].integer(whole) ? real : (part + 0.0) / unit;
  } else {
    fault("'round' knows the methods common, ceil and floor");
  }
  return result.set_from_conversation(bound[0].from_conversation());
}

Value filter_default(Run&, const Bound& bound) {
  const bool otherwise =
      bound[0].is_undefined() || (bound.truth(2, false) && !is_true(bound[0]));
  if (!otherwise) return bound[0];
  return bound.has(1) ? bound[1] : Value::constant("");
}

constexpr NamedFilter kValueFilters[] = {
    {{"abs", 1, {"x"}}, filter_abs},
    {{"attr", 2, {"obj", "name"}}, filter_attr},
    {{"d", 1, {"value", "default_value", "boolean"}}, filter_default},
    {{"default", 1, {"value", "default_value", "boolean"}}, filter_default},
    {{"float", 1, {"value", "default"}}, filter_float},
    {{"int", 1, {"value", "default", "base"}}, filter_int},
    {{"round", 1, {"value", "precision", "method"}}, filter_round},
};

// Takes the next argument off.
Value take_first(std::string_view filter, Arguments& arguments) {
  auto& positional = arguments.positional;
  if (positional.empty()) fault("'{}' needs more arguments", filter);
  Value value = std::move(positional.front());
  positional.erase(positional.begin());
  return value;
}

Value filter_map(Run& run, std::string_view, Arguments arguments) {
  const Value values = take_first("map", arguments);
  std::vector<Value> items;
  if (is_true(values)) items = items_of(values, run.budget());
  if (arguments.positional.empty()) {
    arguments.positional.push_back(values);
    const Bound bound(
        std::move(arguments), {"map", 2, {"value", "attribute", "default"}});
    for (Value& item : items) {
      item = path_of(run, item, bound[1]);
      if (item.is_undefined() && bound.is_set(2)) item = bound[2];
    }
    return run.list(std::move(items), Flavour::kGenerator);
  }
  const std::string name(
      plain_text(take_first("map", arguments), "'map'").bytes());
  for (Value& item : items) {
    Arguments call = arguments;
    call.positional.insert(call.positional.begin(), std::move(item));
    item = apply_filter(run, name, std::move(call));
  }
  return run.list(std::move(items), Flavour::kGenerator);
}

// select, reject (of the items) and selectattr, rejectattr (of an attribute).
Value choose(Run& run, std::string_view filter, Arguments arguments) {
  const Value values = take_first(filter, arguments);
  Value path;
  if (filter.ends_with("attr")) path = take_first(filter, arguments);
  std::string test;
  if (!arguments.positional.empty())
    test = plain_text(take_first(filter, arguments), "a test's name").bytes();
  std::vector<Value> chosen;
  if (!is_true(values)) return run.list({}, Flavour::kGenerator);
  for (const Value& item : items_of(values, run.budget())) {
    const Value tested = path.is_missing() ? item : path_of(run, item, path);
    Arguments call = arguments;
    call.positional.insert(call.positional.begin(), tested);
    const bool holds =
        test.empty() ? is_true(tested) : apply_test(run, test, std::move(call));
    if (holds == filter.starts_with("select")) chosen.push_back(item);
  }
  return run.list(std::move(chosen), Flavour::kGenerator);
}

// The value is the format; the arguments go into it.
Value filter_format(Run& run, std::string_view filter, Arguments arguments) {
  const Value format = take_first(filter, arguments);
  if (!arguments.named.empty())
    fault("'format' of values by name is not supported");
  Value values = run.list(std::move(arguments.positional), Flavour::kTuple);
  const Value text = run.text(printed(format, run.budget()));
  return percent_format(run, Value(text).set_safe(format.is_safe()), values);
}

// Filters that take any arguments.
using OpenFilter = Value (*)(Run&, std::string_view name, Arguments);
constexpr std::pair<std::string_view, OpenFilter> kOpenFilters[] = {
    {"format", filter_format},
    {"map", filter_map},
    {"reject", choose},
    {"rejectattr", choose},
    {"select", choose},
    {"selectattr", choose},
};

OpenFilter find_open_filter(std::string_view name) {
  for (const auto& [known, call] : kOpenFilters)
    if (known == name) return call;
  return nullptr;
}

const NamedFilter* find_filter(std::string_view name) {
  for (const auto table :
       {std::span<const NamedFilter>(kValueFilters),
        list_filters(),
        text_filters()})
    for (const NamedFilter& filter : table)
      if (filter.signature.name == name) return &filter;
  return nullptr;
}

// Those of jinja2 that public templates do not use.
constexpr std::string_view kOtherFilters =
    " filesizeformat pprint random striptags truncate urlize wordwrap xmlattr ";

}  // namespace

bool knows_filter(std::string_view name) {
  return find_filter(name) != nullptr || find_open_filter(name) != nullptr;
}

void need_filter(std::string_view name, int line) {
  if (knows_filter(name)) return;
  const bool is_other = is_listed(kOtherFilters, name);
  fault_at(
      line,
      "the filter '{}' is {}",
      name,
      is_other ? "not supported" : "not known");
}

Value apply_filter(Run& run, std::string_view name, Arguments arguments) {
  run.budget().step();
  if (const OpenFilter call = find_open_filter(name))
    return call(run, name, std::move(arguments));
  const NamedFilter* filter = find_filter(name);
  if (filter == nullptr) need_filter(name, 0);
  return filter->call(run, Bound(std::move(arguments), filter->signature));
}

}  // namespace moft::jinja
