// Attributes of values.
#include "moft/chat/methods.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "moft/chat/arguments.h"
#include "moft/chat/compare.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"
#include "moft/chat/text_methods.h"

namespace moft::jinja {

namespace {

using Names = std::initializer_list<std::string_view>;

bool is_among(std::string_view name, Names names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value denied(const Value& object, const std::string& name) {
  return Value::undefined(fmt::format(
      "access to attribute '{}' of '{}' object is unsafe",
      name,
      type_name(object)));
}

[[noreturn]] void unsupported(const Value& object, const std::string& name) {
  fault("the method '{}' of '{}' is not supported", name, type_name(object));
}

Value pairs_of(Run& run, const Value& object) {
  std::vector<Value> pairs;
  const auto& entries = object.dict()->entries();
  pairs.reserve(entries.size());
  for (const auto& [key, value] : entries) {
    pairs.push_back(run.list({key, value}, Flavour::kTuple)
                        .set_from_conversation(object.from_conversation()));
  }
  return run.list(std::move(pairs), Flavour::kDictItems);
}

Value keys_or_values(Run& run, const Value& object, bool keys) {
  std::vector<Value> items;
  for (const auto& [key, value] : object.dict()->entries())
    items.push_back(keys ? key : value);
  return run.list(
      std::move(items), keys ? Flavour::kDictKeys : Flavour::kDictValues);
}

Value call_dict_method(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  if (name == "get") {
    const Bound bound(std::move(arguments), name, {"key", "default"}, 1);
    const Value* found = self.dict()->find(bound[0]);
    if (found != nullptr) return *found;
    return bound.has(1) ? bound[1] : Value(None{});
  }
  const Bound bound(std::move(arguments), name, {}, 0);
  if (name == "copy") return self;
  Value result = name == "items" ? pairs_of(run, self)
                                 : keys_or_values(run, self, name == "keys");
  return result.set_from_conversation(self.from_conversation());
}

Value call_list_method(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Sequence& list = *self.sequence();
  if (name == "copy") {
    const Bound bound(std::move(arguments), name, {}, 0);
    return self;
  }
  const Bound bound(std::move(arguments), name, {"value"}, 1);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (!equal(list.items[i], bound[0], run.budget())) continue;
    if (name == "index") return static_cast<std::int64_t>(i);
    ++count;
  }
  if (name == "index") fault("the list does not hold that value");
  return count;
}

// Methods of one kind of value: callable ones, those that the sandbox denies
// and those of Python that this interpreter lacks.
struct MethodNames {
  Names supported;
  Names denied;
  Names missing;
};

using Call = Value (*)(Run&, const Value&, const std::string&, Arguments);

Value find_method(
    Run& run,
    const Value& object,
    const std::string& name,
    const MethodNames& names,
    Call call) {
  if (is_among(name, names.supported)) {
    return run.function(
        name,
        [object, name, call](Run& at, Arguments arguments) {
          return call(at, object, name, std::move(arguments));
        },
        object.depth());
  }
  if (is_among(name, names.denied)) return denied(object, name);
  if (is_among(name, names.missing)) unsupported(object, name);
  return {};
}

const MethodNames kDictMethods = {
    {"get", "items", "keys", "values", "copy"},
    {"clear", "pop", "popitem", "setdefault", "update"},
    {"fromkeys"}};
const MethodNames kListMethods = {
    {"count", "index", "copy"},
    {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
    {}};
const MethodNames kTupleMethods = {{"count", "index"}, {}, {}};
const Names kNumberAttributes = {
    "real",
    "imag",
    "numerator",
    "denominator",
    "conjugate",
    "bit_length",
    "is_integer",
    "as_integer_ratio",
    "hex",
    "fromhex",
    "to_bytes",
    "from_bytes"};

// loop.cycle(..) and loop.changed(..).
Value loop_function(Run& run, const Value& object, const std::string& name) {
  if (name != "cycle" && name != "changed") return {};
  return run.function(
      name,
      [object, name](Run&, Arguments arguments) -> Value {
        if (!arguments.named.empty())
          fault("'{}' takes no named arguments", name);
        auto& values = arguments.positional;
        if (name == "changed") return object.loop()->changed(values);
        if (values.empty()) fault("'cycle' needs values to go through");
        const auto count = static_cast<std::int64_t>(values.size());
        return values[static_cast<std::size_t>(
            object.loop()->index0() % count)];
      },
      object.depth());
}

bool is_private(std::string_view name) {
  return name.size() > 4 && name.starts_with("__") && name.ends_with("__");
}

}  // namespace

Value method_of(Run& run, const Value& object, const std::string& name) {
  if (is_private(name)) return denied(object, name);
  if (object.text() != nullptr) return text_method(run, object, name);
  if (object.dict() != nullptr)
    return find_method(run, object, name, kDictMethods, call_dict_method);
  if (const Sequence* list = object.sequence()) {
    if (list->flavour == Flavour::kList)
      return find_method(run, object, name, kListMethods, call_list_method);
    return find_method(run, object, name, kTupleMethods, call_list_method);
  }
  if (const Namespace* space = object.name_space()) {
    const Value* found = space->find(name);
    return found == nullptr ? Value() : *found;
  }
  if (Loop* loop = object.loop()) {
    Value result = loop->attribute(name);
    return result.is_missing() ? loop_function(run, object, name) : result;
  }
  double number = 0;
  if (object.number(number) && is_among(name, kNumberAttributes))
    unsupported(object, name);
  if (object.function() != nullptr)
    fault("the attribute '{}' of a function is not supported", name);
  return {};
}

}  // namespace moft::jinja
