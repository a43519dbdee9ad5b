// One table of tests of a value, one of tests that compare two.
#include "moft/chat/template_tests.h"

#include <algorithm>

#include "moft/chat/filters.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_cases.h"

namespace moft::jinja {

namespace {

bool knows_test(std::string_view name);

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

bool is_callable(const Value& value) {
  return value.function() != nullptr || value.loop() != nullptr ||
         value.is_undefined();
}

// The test of str(value).
bool is_in_case(Run& run, const Value& value, const char* question) {
  const MarkedText text = printed(value, run.budget());
  run.budget().copies(text.size());
  return answer(text, question);
}

bool has_rest(Run& run, const Value& value, const Value& by, int rest) {
  const Value found = binary_operation(run, value, by, "%");
  return equal(found, Value(rest), run.budget());
}

std::string_view name_in(const Value& value) {
  if (value.text() == nullptr) return {};
  return value.text()->bytes();
}

// Whether Python would call both the same object, as far as templates see.
bool same_object(Run& run, const Value& a, const Value& b) {
  if (a.text() != nullptr || b.text() != nullptr) return a.text() == b.text();
  if (a.sequence() != nullptr || b.sequence() != nullptr)
    return a.sequence() == b.sequence();
  if (a.dict() != nullptr || b.dict() != nullptr) return a.dict() == b.dict();
  return type_name(a) == type_name(b) && equal(a, b, run.budget());
}

using V = const Value&;
struct NamedTest {
  std::string_view name;
  bool (*holds)(Run&, const Value&);
};

constexpr NamedTest kTests[] = {
    {"boolean", [](Run&, V v) { return v.is<bool>(); }},
    {"callable", [](Run&, V v) { return is_callable(v); }},
    {"defined", [](Run&, V v) { return !v.is_undefined(); }},
    {"escaped", [](Run&, V v) { return v.is_safe(); }},
    {"even", [](Run& run, V v) { return has_rest(run, v, 2, 0); }},
    {"false", [](Run&, V v) { return v.is<bool>() && !is_true(v); }},
    {"filter", [](Run&, V v) { return knows_filter(name_in(v)); }},
    {"float", [](Run&, V v) { return v.is<double>(); }},
    {"integer", [](Run&, V v) { return v.is<std::int64_t>(); }},
    {"iterable", [](Run&, V v) { return size_of(v) || v.sequence(); }},
    {"lower", [](Run& run, V v) { return is_in_case(run, v, "islower"); }},
    {"mapping", [](Run&, V v) { return v.dict() != nullptr; }},
    {"none", [](Run&, V v) { return v.is_none(); }},
    {"number", [](Run&, V v) { return is_number(v); }},
    {"odd", [](Run& run, V v) { return has_rest(run, v, 2, 1); }},
    {"sequence", [](Run&, V v) { return is_sequence(v); }},
    {"string", [](Run&, V v) { return v.text() != nullptr; }},
    {"test", [](Run&, V v) { return knows_test(name_in(v)); }},
    {"true", [](Run&, V v) { return v.is<bool>() && is_true(v); }},
    {"undefined", [](Run&, V v) { return v.is_undefined(); }},
    {"upper", [](Run& run, V v) { return is_in_case(run, v, "isupper"); }},
};

// Tests of two values, and the operator that each is.
constexpr std::pair<std::string_view, std::string_view> kComparisons[] = {
    {"==", "=="},
    {"eq", "=="},
    {"equalto", "=="},
    {"!=", "!="},
    {"ne", "!="},
    {"<", "<"},
    {"lt", "<"},
    {"lessthan", "<"},
    {">", ">"},
    {"gt", ">"},
    {"greaterthan", ">"},
    {"<=", "<="},
    {"le", "<="},
    {">=", ">="},
    {"ge", ">="},
    {"in", "in"},
    {"divisibleby", "%"},
    {"sameas", "is"},
};

std::string_view operator_of(std::string_view test) {
  for (const auto& [name, op] : kComparisons)
    if (name == test) return op;
  return {};
}

const NamedTest* find_test(std::string_view name) {
  const auto* test = std::find_if(
      std::begin(kTests), std::end(kTests), [&](const NamedTest& each) {
        return each.name == name;
      });
  return test == std::end(kTests) ? nullptr : test;
}

bool knows_test(std::string_view name) {
  return find_test(name) != nullptr || !operator_of(name).empty();
}

}  // namespace

void need_test(std::string_view name, int line) {
  if (!knows_test(name)) fault_at(line, "the test '{}' is not known", name);
}

bool apply_test(Run& run, std::string_view name, Arguments arguments) {
  run.budget().step();
  need_test(name, 0);
  if (const NamedTest* test = find_test(name)) {
    const Bound bound(std::move(arguments), {name, 1, {"value"}});
    return test->holds(run, bound[0]);
  }
  const Bound bound(std::move(arguments), {name, 2, {"value", "other"}});
  const std::string_view op = operator_of(name);
  if (op == "is") return same_object(run, bound[0], bound[1]);
  if (op == "%") return has_rest(run, bound[0], bound[1], 0);
  return is_true(binary_operation(run, bound[0], bound[1], op));
}

}  // namespace moft::jinja
