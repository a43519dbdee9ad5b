// The state of a run, calls, arguments and loops. The items of a loop are
// filtered one at a time, as the template asks for them.
#include "moft/chat/run.h"

#include <algorithm>

#include "moft/core/text.h"

namespace moft::jinja {

Run::~Run() {
  for (const auto& space : namespaces_)
    space->attributes.clear();
  for (const FramePtr& frame : captured_)
    frame->slots.clear();
}

void Run::set_variable(const std::string& name, Value value) {
  variables_.insert_or_assign(name, std::move(value));
}

Value Run::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? Value() : found->second;
}

Value Run::make_namespace(Namespace space) {
  budget_.steps(4);
  auto shared = std::make_shared<Namespace>(std::move(space));
  namespaces_.push_back(shared);
  return shared;
}

Value Run::function(std::function<Value(Run&, Arguments)> call, int depth) {
  budget_.nests(depth + 1);
  return std::make_shared<const Function>(Function{std::move(call), depth + 1});
}

Value Run::call(const Value& callee, Arguments arguments) {
  need_defined(callee);
  const Function* function = callee.function();
  if (function == nullptr) fault("a '{}' cannot be called", type_name(callee));
  const Level level(budget_);
  return function->call(*this, std::move(arguments));
}

Bound::Bound(Arguments arguments, const Signature& signature)
    : function_(signature.name), values_(std::move(arguments.positional)) {
  const auto& all = signature.parameters;
  const auto end = std::find(all.begin(), all.end(), nullptr);
  const auto count = static_cast<std::size_t>(end - all.begin());
  const std::size_t positional = values_.size();
  if (positional > count)
    fault("'{}' takes {} arguments, not {}", function_, count, positional);
  values_.resize(count);
  for (auto& [name, value] : arguments.named) {
    const auto place = static_cast<std::size_t>(
        std::find(all.begin(), end, name) - all.begin());
    if (place == count) {
      fault(
          "the argument {} of '{}' is not supported",
          quote_text(name),
          function_);
    }
    if (place < positional)
      fault("'{}' is given {} twice", function_, quote_text(name));
    values_[place] = std::move(value);
  }
  for (std::size_t i = 0; i < signature.required; ++i)
    if (!has(i)) fault("'{}' needs its argument {}", function_, all[i]);
}

std::int64_t Bound::whole(std::size_t i, std::int64_t otherwise) const {
  if (!has(i)) return otherwise;
  need_defined(values_[i]);
  std::int64_t result = 0;
  if (!values_[i].integer(result)) {
    fault(
        "'{}' needs a whole number, not a '{}'",
        function_,
        type_name(values_[i]));
  }
  return result;
}

bool Bound::truth(std::size_t i, bool otherwise) const {
  return has(i) ? is_true(values_[i]) : otherwise;
}

const MarkedText& Bound::text(std::size_t i) const {
  return plain_text(values_[i], fmt::format("'{}'", function_));
}

bool is_listed(std::string_view names, std::string_view name) {
  if (name.empty() || name.find(' ') != name.npos) return false;
  for (std::size_t at = names.find(name); at != names.npos;
       at = names.find(name, at + 1)) {
    if (names[at - 1] == ' ' && names[at + name.size()] == ' ') return true;
  }
  return false;
}

std::vector<Value> items_of(const Value& values, Budget& budget) {
  std::vector<Value> items;
  const auto size = size_of(values).value_or(0);
  budget.will_need(static_cast<double>(size * sizeof(Value)));
  budget.steps(1 + static_cast<std::int64_t>(size / 8));
  if (const Sequence* list = values.sequence()) {
    if (list->is_used)
      fault("a generator can be run through once; make it a list");
    list->is_used = list->flavour == Flavour::kGenerator;
    return list->items;
  }
  items.reserve(size);
  if (const Dict* object = values.dict()) {
    for (const auto& [key, value] : object->entries())
      items.push_back(key);
  } else if (const MarkedText* text = values.text()) {
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t end = at + character_size(text->bytes(), at);
      items.push_back(text_value(text->part(at, end), budget));
      at = end;
    }
  } else if (!values.is_undefined()) {
    fault("a '{}' cannot be iterated", type_name(values));
  }
  return items;
}

std::optional<std::size_t> size_of(const Value& values) {
  if (const MarkedText* text = values.text()) return text->length();
  const Sequence* list = values.sequence();
  if (list != nullptr && list->flavour != Flavour::kGenerator)
    return list->items.size();
  if (const Dict* object = values.dict()) return object->entries().size();
  if (values.is_undefined()) return 0;
  return std::nullopt;
}

Loop::Loop(
    const Value& values,
    std::function<bool(const Value&)> filter,
    Budget& budget)
    : items_(items_of(values, budget)),
      filter_(std::move(filter)),
      depth_(values.depth() + 1),
      held_(budget, items_.size() * sizeof(Value)) {
  budget.nests(depth_);
}

bool Loop::peek() {
  for (; next_ < items_.size() && !next_takes_part_; ++next_) {
    next_takes_part_ = !filter_ || filter_(items_[next_]);
    if (next_takes_part_) break;
  }
  return next_takes_part_;
}

bool Loop::advance(Value& item) {
  if (!peek()) return false;
  item = std::move(items_[next_++]);
  next_takes_part_ = false;
  ++index0_;
  before_ = std::move(current_);
  current_ = item;
  return true;
}

std::int64_t Loop::length() {
  if (filter_ && peek()) {
    const auto rest = items_.begin() + static_cast<std::ptrdiff_t>(next_) + 1;
    const auto fails = [&](const Value& item) { return !filter_(item); };
    items_.erase(std::remove_if(rest, items_.end(), fails), items_.end());
  }
  filter_ = nullptr;
  const auto left = static_cast<std::int64_t>(items_.size() - next_);
  return index0_ + 1 + left;
}

Value Loop::attribute(const std::string& name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek();
  if (name == "length") return length();
  if (name == "revindex") return length() - index0_;
  if (name == "revindex0") return length() - index0_ - 1;
  if (name == "previtem") {
    if (index0_ == 0) return Value::undefined("there is no previous item");
    return before_;
  }
  if (name == "nextitem") {
    if (!peek()) return Value::undefined("there is no next item");
    return items_[next_];
  }
  for (const char* refused : {"changed", "cycle", "depth", "depth0"})
    if (name == refused) fault("'loop.{}' is not supported", name);
  return {};
}

}  // namespace moft::jinja
