// Arguments by place, by name, and the rest.
#include "moft/chat/macro_arguments.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// The variable caller, kwargs or varargs; null if the macro does not use it.
Value* extra(const Statement& macro, Frame& frame, const char* name) {
  const auto found = macro.extra_slots.find(name);
  if (found == macro.extra_slots.end() || found->second < 0) return nullptr;
  return &frame.slots[static_cast<std::size_t>(found->second)];
}

// The variable of a parameter that has no value yet, or null.
Value* free_parameter(
    const Statement& macro, Frame& frame, const std::string& name) {
  for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
    const bool is_free = frame.slots[i].is_missing();
    if (macro.parameters[i] == name && is_free) return &frame.slots[i];
  }
  return nullptr;
}

}  // namespace

void fill_parameters(
    Run& run, const Statement& macro, Frame& frame, Arguments given) {
  auto& positional = given.positional;
  const std::size_t count = macro.parameters.size();
  const auto placed = positional.begin() + static_cast<std::ptrdiff_t>(std::min(
                                               count, positional.size()));
  std::move(positional.begin(), placed, frame.slots.begin());
  std::vector<Value> more(placed, positional.end());
  if (Value* varargs = extra(macro, frame, "varargs")) {
    *varargs = run.list(std::move(more), Flavour::kTuple);
  } else if (!more.empty()) {
    fault("the macro '{}' takes {} arguments", macro.target.name, count);
  }
  Value* const caller = extra(macro, frame, "caller");
  if (caller != nullptr) *caller = Value::undefined("no caller is defined");
  Value* const kwargs = extra(macro, frame, "kwargs");
  std::shared_ptr<Dict> rest;
  if (kwargs != nullptr) rest = std::make_shared<Dict>(run.budget());
  for (auto& [name, value] : given.named) {
    run.budget().steps(static_cast<std::int64_t>(count / 8));
    Value* parameter = free_parameter(macro, frame, name);
    if (parameter == nullptr && name == "caller") parameter = caller;
    if (parameter != nullptr) {
      *parameter = std::move(value);
    } else if (rest != nullptr) {
      rest->put(run.text(MarkedText(name, given.name_marks)), std::move(value));
    } else {
      fault(
          "the macro '{}' has no argument {}",
          macro.target.name,
          quote_text(name));
    }
  }
  if (kwargs != nullptr) *kwargs = std::shared_ptr<const Dict>(std::move(rest));
}

}  // namespace moft::jinja
