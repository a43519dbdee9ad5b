// Tests by name.
#include "moft/chat/template_tests.h"

#include "moft/chat/arguments.h"
#include "moft/chat/compare.h"
#include "moft/chat/fault.h"
#include "moft/chat/filters.h"
#include "moft/chat/loop.h"
#include "moft/chat/numbers.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_cases.h"

namespace moft::jinja {

namespace {

using One = bool (*)(Run&, const Value&);
using Two = bool (*)(Run&, const Value&, const Value&);

bool is_whole(const Value& value) {
  return value.is<std::int64_t>();
}

bool is_remainder(
    Run& run, const Value& value, const Value& by, std::int64_t remainder) {
  need_defined(value);
  need_defined(by);
  const Value rest = number_operation(value, by, "%");
  if (rest.is_missing()) fault("a '{}' has no remainder", type_name(value));
  return equal(rest, Value(remainder), run.budget());
}

// Whether Python would call both the same object, as far as templates see.
bool same_object(Run& run, const Value& a, const Value& b) {
  if (a.text() != nullptr || b.text() != nullptr) return a.text() == b.text();
  if (a.sequence() != nullptr || b.sequence() != nullptr)
    return a.sequence() == b.sequence();
  if (a.dict() != nullptr || b.dict() != nullptr) return a.dict() == b.dict();
  return type_name(a) == type_name(b) && equal(a, b, run.budget());
}

bool can_iterate(const Value& value) {
  return size_of(value).has_value() || value.iterator() != nullptr ||
         value.loop() != nullptr;
}

// Has a length and items by key, as undefined values do.
bool is_sequence(const Value& value) {
  const Sequence* list = value.sequence();
  if (list != nullptr) return list->flavour <= Flavour::kRange;
  return size_of(value).has_value();
}

bool answer_of(Run& run, const Value& value, const char* question) {
  const MarkedText text = printed(value, run.budget());
  run.budget().copies(text.size());
  return answer(text, question);
}

std::string name_in(const Value& value) {
  return value.text() == nullptr ? std::string() : value.text()->bytes();
}

constexpr std::pair<std::string_view, One> kOfOne[] = {
    {"boolean", [](Run&, const Value& v) { return v.is<bool>(); }},
    {"callable",
     [](Run&, const Value& v) {
       return v.function() != nullptr || v.loop() != nullptr ||
              v.is_undefined();
     }},
    {"defined", [](Run&, const Value& v) { return !v.is_undefined(); }},
    {"escaped", [](Run&, const Value& v) { return v.is_markup(); }},
    {"even",
     [](Run& run, const Value& v) {
       return is_remainder(run, v, Value(2), 0);
     }},
    {"false", [](Run&, const Value& v) { return v.is<bool>() && !is_true(v); }},
    {"filter",
     [](Run&, const Value& v) { return find_filter(name_in(v)) != nullptr; }},
    {"float", [](Run&, const Value& v) { return v.is<double>(); }},
    {"integer", [](Run&, const Value& v) { return is_whole(v); }},
    {"iterable", [](Run&, const Value& v) { return can_iterate(v); }},
    {"lower",
     [](Run& run, const Value& v) { return answer_of(run, v, "islower"); }},
    {"mapping", [](Run&, const Value& v) { return v.dict() != nullptr; }},
    {"none", [](Run&, const Value& v) { return v.is_none(); }},
    {"number",
     [](Run&, const Value& v) {
       double number = 0;
       return v.number(number);
     }},
    {"odd",
     [](Run& run, const Value& v) {
       return is_remainder(run, v, Value(2), 1);
     }},
    {"sequence", [](Run&, const Value& v) { return is_sequence(v); }},
    {"string", [](Run&, const Value& v) { return v.text() != nullptr; }},
    {"test", [](Run&, const Value& v) { return knows_test(name_in(v)); }},
    {"true", [](Run&, const Value& v) { return v.is<bool>() && is_true(v); }},
    {"undefined", [](Run&, const Value& v) { return v.is_undefined(); }},
    {"upper",
     [](Run& run, const Value& v) { return answer_of(run, v, "isupper"); }},
};

bool test_equal(Run& run, const Value& a, const Value& b) {
  return equal(a, b, run.budget());
}
bool test_differs(Run& run, const Value& a, const Value& b) {
  return !equal(a, b, run.budget());
}
bool test_less(Run& run, const Value& a, const Value& b) {
  return less(a, b, run.budget());
}
bool test_greater(Run& run, const Value& a, const Value& b) {
  return less(b, a, run.budget());
}
bool test_at_most(Run& run, const Value& a, const Value& b) {
  return less(a, b, run.budget()) || equal(a, b, run.budget());
}
bool test_at_least(Run& run, const Value& a, const Value& b) {
  return less(b, a, run.budget()) || equal(a, b, run.budget());
}

constexpr std::pair<std::string_view, Two> kOfTwo[] = {
    {"divisibleby",
     [](Run& run, const Value& a, const Value& b) {
       return is_remainder(run, a, b, 0);
     }},
    {"in",
     [](Run& run, const Value& a, const Value& b) {
       return contains(b, a, run.budget());
     }},
    {"sameas", same_object},
    {"eq", test_equal},
    {"equalto", test_equal},
    {"==", test_equal},
    {"ne", test_differs},
    {"!=", test_differs},
    {"lt", test_less},
    {"lessthan", test_less},
    {"<", test_less},
    {"gt", test_greater},
    {"greaterthan", test_greater},
    {">", test_greater},
    {"le", test_at_most},
    {"<=", test_at_most},
    {"ge", test_at_least},
    {">=", test_at_least},
};

}  // namespace

bool knows_test(std::string_view name) {
  for (const auto& [known, test] : kOfOne)
    if (known == name) return true;
  for (const auto& [known, test] : kOfTwo)
    if (known == name) return true;
  return false;
}

void need_test(const std::string& name, int line) {
  if (!knows_test(name)) fault_at(line, "the test '{}' is not known", name);
}

bool apply_test(Run& run, const std::string& name, Arguments arguments) {
  run.budget().step();
  for (const auto& [known, test] : kOfOne) {
    if (known != name) continue;
    const Bound bound(std::move(arguments), name, {"value"}, 1);
    return test(run, bound[0]);
  }
  for (const auto& [known, test] : kOfTwo) {
    if (known != name) continue;
    const Bound bound(std::move(arguments), name, {"value", "other"}, 2);
    return test(run, bound[0], bound[1]);
  }
  need_test(name, 0);
  return false;
}

}  // namespace moft::jinja
