// One table of filters, one of tests.
#include "moft/chat/filters.h"

#include <algorithm>

#include "moft/chat/methods.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_functions.h"

namespace moft::jinja {

namespace {

// str(value) of the first argument, which may be of any kind.
MarkedText as_text(Run& run, const Bound& bound) {
  if (bound[0].text() != nullptr) return bound.text(0);
  return printed(bound[0], run.budget());
}

template <MarkedText (*kFunction)(const MarkedText&)>
Value filter_case(Run& run, const Bound& bound) {
  const MarkedText text = as_text(run, bound);
  run.budget().copies(4 * text.size());
  return run.text(kFunction(text));
}

Value filter_trim(Run& run, const Bound& bound) {
  const std::string* set = bound.is_set(1) ? &bound.text(1).bytes() : nullptr;
  return run.text(strip(as_text(run, bound), set, Side::kBoth));
}

Value filter_replace(Run& run, const Bound& bound) {
  const MarkedText text = as_text(run, bound);
  return replaced(run, text, bound.text(1), bound.text(2), -1);
}

Value filter_string(Run& run, const Bound& bound) {
  if (bound[0].text() != nullptr) return bound[0];
  return run.text(printed(bound[0], run.budget()));
}

Value filter_safe(Run& run, const Bound& bound) {
  return filter_string(run, bound).set_safe();
}

Value filter_join(Run& run, const Bound& bound) {
  MarkedText separator;
  if (bound.has(1)) separator = printed(bound[1], run.budget());
  MarkedText result;
  bool first = true;
  for (const Value& item : items_of(bound[0], run.budget())) {
    if (!first) result.append(separator);
    first = false;
    const MarkedText part = printed(item, run.budget());
    result.append(part);
    run.budget().will_need(static_cast<double>(result.size()));
    run.budget().copies(part.size());
  }
  return run.text(std::move(result));
}

Value filter_tojson(Run& run, const Bound& bound) {
  if (bound.truth(1, false))
    fault("'tojson' with ensure_ascii=true is not supported");
  if (!bound.is_set(2))
    return run.text(to_json(bound[0], std::nullopt, run.budget()));
  const auto width = std::max<std::int64_t>(bound.whole(2, 0), 0);
  run.budget().will_need(static_cast<double>(width) * 600);
  const auto indent = static_cast<std::size_t>(width);
  return run.text(to_json(bound[0], indent, run.budget()));
}

Value filter_default(Run&, const Bound& bound) {
  const bool otherwise =
      bound[0].is_undefined() || (bound.truth(2, false) && !is_true(bound[0]));
  if (!otherwise) return bound[0];
  return bound.has(1) ? bound[1] : Value::constant("");
}

Value filter_length(Run&, const Bound& bound) {
  const auto size = size_of(bound[0]);
  if (!size) fault("a '{}' has no length", type_name(bound[0]));
  return static_cast<std::int64_t>(*size);
}

Value filter_list(Run& run, const Bound& bound) {
  return run.list(items_of(bound[0], run.budget()))
      .set_from_conversation(bound[0].from_conversation());
}

Value filter_first(Run& run, const Bound& bound) {
  std::vector<Value> items = items_of(bound[0], run.budget());
  if (!items.empty()) return items.front();
  return Value::undefined("'first' found an empty list");
}

Value filter_last(Run& run, const Bound& bound) {
  if (!size_of(bound[0]))
    fault("'last' of a '{}' is not supported", type_name(bound[0]));
  std::vector<Value> items = items_of(bound[0], run.budget());
  if (!items.empty()) return items.back();
  return Value::undefined("'last' found an empty list");
}

Value filter_items(Run& run, const Bound& bound) {
  if (bound[0].is_undefined()) return run.list({}, Flavour::kGenerator);
  if (bound[0].dict() == nullptr)
    fault("'items' needs an object, not a '{}'", type_name(bound[0]));
  return run.list(pairs_of(run, bound[0]), Flavour::kGenerator);
}

// By key, its case dropped.
Value filter_dictsort(Run& run, const Bound& bound) {
  need_defined(bound[0]);
  if (bound[0].dict() == nullptr)
    fault("'dictsort' needs an object, not a '{}'", type_name(bound[0]));
  std::vector<std::pair<std::string, Value>> sorted;
  for (Value& pair : pairs_of(run, bound[0])) {
    const MarkedText& key = *pair.sequence()->items[0].text();
    run.budget().copies(4 * key.size());
    sorted.emplace_back(lower(key).bytes(), std::move(pair));
  }
  const auto by_key = [&](const auto& a, const auto& b) {
    run.budget().step();
    return a.first < b.first;
  };
  std::stable_sort(sorted.begin(), sorted.end(), by_key);
  std::vector<Value> pairs;
  for (auto& [key, pair] : sorted)
    pairs.push_back(std::move(pair));
  return run.list(std::move(pairs))
      .set_from_conversation(bound[0].from_conversation());
}

using Filter = Value (*)(Run&, const Bound&);
struct NamedFilter {
  Signature signature;
  Filter call;
};

constexpr NamedFilter kFilters[] = {
    {{"capitalize", 1, {"s"}}, filter_case<capitalize>},
    {{"count", 1, {"obj"}}, filter_length},
    {{"d", 1, {"value", "default_value", "boolean"}}, filter_default},
    {{"default", 1, {"value", "default_value", "boolean"}}, filter_default},
    {{"dictsort", 1, {"value"}}, filter_dictsort},
    {{"first", 1, {"seq"}}, filter_first},
    {{"items", 1, {"value"}}, filter_items},
    {{"join", 1, {"value", "d"}}, filter_join},
    {{"last", 1, {"seq"}}, filter_last},
    {{"length", 1, {"obj"}}, filter_length},
    {{"list", 1, {"value"}}, filter_list},
    {{"lower", 1, {"s"}}, filter_case<lower>},
    {{"replace", 3, {"s", "old", "new"}}, filter_replace},
    {{"safe", 1, {"value"}}, filter_safe},
    {{"string", 1, {"value"}}, filter_string},
    {{"tojson", 1, {"x", "ensure_ascii", "indent"}}, filter_tojson},
    {{"trim", 1, {"value", "chars"}}, filter_trim},
    {{"upper", 1, {"s"}}, filter_case<upper>},
};

// Takes the next argument off.
Value take_first(std::string_view filter, Arguments& arguments) {
  auto& positional = arguments.positional;
  if (positional.empty()) fault("'{}' needs more arguments", filter);
  Value value = std::move(positional.front());
  positional.erase(positional.begin());
  return value;
}

Value filter_map(Run& run, Arguments arguments) {
  const Value values = take_first("map", arguments);
  std::vector<Value> items;
  if (is_true(values)) items = items_of(values, run.budget());
  if (arguments.positional.empty()) {
    arguments.positional.push_back(values);
    const Bound bound(std::move(arguments), {"map", 2, {"value", "attribute"}});
    for (Value& item : items)
      item = path_of(run, item, bound[1]);
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

bool is_choice(std::string_view name) {
  return name == "select" || name == "reject" || name == "selectattr" ||
         name == "rejectattr";
}

const NamedFilter* find_filter(std::string_view name) {
  const auto* filter = std::find_if(
      std::begin(kFilters), std::end(kFilters), [&](const auto& each) {
        return each.signature.name == name;
      });
  return filter == std::end(kFilters) ? nullptr : filter;
}

// Has a length and items by place or key, as undefined values do.
bool is_sequence(const Value& value) {
  const Sequence* list = value.sequence();
  if (list != nullptr) return list->flavour <= Flavour::kRange;
  return size_of(value).has_value();
}

bool is_number(const Value& value) {
  double number = 0;
  return value.number(number);
}

struct NamedTest {
  std::string_view name;
  bool (*holds)(const Value&);
};

constexpr NamedTest kTests[] = {
    {"boolean", [](const Value& v) { return v.is<bool>(); }},
    {"defined", [](const Value& v) { return !v.is_undefined(); }},
    {"false", [](const Value& v) { return v.is<bool>() && !is_true(v); }},
    {"float", [](const Value& v) { return v.is<double>(); }},
    {"integer", [](const Value& v) { return v.is<std::int64_t>(); }},
    {"iterable",
     [](const Value& v) { return size_of(v) || v.sequence() != nullptr; }},
    {"mapping", [](const Value& v) { return v.dict() != nullptr; }},
    {"none", [](const Value& v) { return v.is_none(); }},
    {"number", is_number},
    {"sequence", is_sequence},
    {"string", [](const Value& v) { return v.text() != nullptr; }},
    {"true", [](const Value& v) { return v.is<bool>() && is_true(v); }},
    {"undefined", [](const Value& v) { return v.is_undefined(); }},
};

// Tests that compare with another value, and their operators.
constexpr std::pair<std::string_view, std::string_view> kComparisons[] = {
    {"==", "=="},
    {"eq", "=="},
    {"equalto", "=="},
    {"!=", "!="},
    {"ne", "!="},
    {"in", "in"},
};

const NamedTest* find_test(std::string_view name) {
  const auto* test = std::find_if(
      std::begin(kTests), std::end(kTests), [&](const NamedTest& each) {
        return each.name == name;
      });
  return test == std::end(kTests) ? nullptr : test;
}

std::string_view comparison_of(std::string_view name) {
  for (const auto& [test, op] : kComparisons)
    if (test == name) return op;
  return {};
}

// Those of jinja2 that public templates do not use.
constexpr std::string_view kOtherFilters =
    " abs attr batch center e escape filesizeformat float forceescape format "
    "groupby indent int max min pprint random reverse round slice sort "
    "striptags sum title truncate unique urlencode urlize wordcount wordwrap "
    "xmlattr ";
constexpr std::string_view kOtherTests =
    " callable divisibleby escaped even filter ge greaterthan gt le lessthan "
    "lower lt odd sameas test upper < <= > >= ";

[[noreturn]] void refuse(
    std::string_view kind,
    std::string_view name,
    std::string_view others,
    int line) {
  const bool known = is_listed(others, name);
  fault_at(
      line,
      "the {} '{}' is {}",
      kind,
      name,
      known ? "not supported" : "not known");
}

}  // namespace

void need_filter(std::string_view name, int line) {
  if (find_filter(name) == nullptr && name != "map" && !is_choice(name))
    refuse("filter", name, kOtherFilters, line);
}

void need_test(std::string_view name, int line) {
  if (find_test(name) == nullptr && comparison_of(name).empty())
    refuse("test", name, kOtherTests, line);
}

Value apply_filter(Run& run, std::string_view name, Arguments arguments) {
  run.budget().step();
  if (name == "map") return filter_map(run, std::move(arguments));
  if (is_choice(name)) return choose(run, name, std::move(arguments));
  const NamedFilter* filter = find_filter(name);
  if (filter == nullptr) refuse("filter", name, kOtherFilters, 0);
  return filter->call(run, Bound(std::move(arguments), filter->signature));
}

bool apply_test(Run& run, std::string_view name, Arguments arguments) {
  run.budget().step();
  if (const NamedTest* test = find_test(name))
    return test->holds(Bound(std::move(arguments), {name, 1, {"value"}})[0]);
  const std::string_view op = comparison_of(name);
  if (op.empty()) refuse("test", name, kOtherTests, 0);
  const Bound bound(std::move(arguments), {name, 2, {"value", "other"}});
  return is_true(binary_operation(run, bound[0], bound[1], op));
}

}  // namespace moft::jinja
