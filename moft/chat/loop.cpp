// Loops: one item at a time, looking ahead only when the template asks.
#include "moft/chat/loop.h"

#include <algorithm>

#include "moft/chat/compare.h"
#include "moft/chat/fault.h"

namespace moft::jinja {

Cursor::Cursor(Value values, Budget& budget)
    : values_(std::move(values)), budget_(&budget) {
  const bool runs = values_.sequence() != nullptr ||
                    values_.text() != nullptr || values_.dict() != nullptr ||
                    values_.iterator() != nullptr || values_.is_undefined() ||
                    values_.loop() != nullptr;
  if (!runs) fault("a '{}' cannot be iterated", type_name(values_));
  if (values_.loop() != nullptr) fault("the loop itself is not iterated");
}

bool Cursor::next(Value& item) {
  budget_->step();
  if (const Sequence* list = values_.sequence()) {
    if (at_ >= list->items.size()) return false;
    item = list->items[at_++];
    return true;
  }
  if (const Dict* object = values_.dict()) {
    if (at_ >= object->entries().size()) return false;
    item = object->entries()[at_++].first;
    return true;
  }
  if (const MarkedText* text = values_.text()) {
    if (at_ >= text->size()) return false;
    const std::size_t end = at_ + character_size(text->bytes(), at_);
    item = text_value(text->part(at_, end), *budget_);
    at_ = end;
    return true;
  }
  Iterator* items = values_.iterator();
  if (items == nullptr) return false;
  const Level level(*budget_);
  return items->next(item);
}

std::vector<Value> items_of(const Value& values, Budget& budget) {
  std::vector<Value> items;
  const Holding held(budget, size_of(values).value_or(0) * sizeof(Value));
  Cursor cursor(values, budget);
  for (Value item; cursor.next(item);) {
    budget.will_need(static_cast<double>(items.size() * sizeof(Value)));
    items.push_back(item);
  }
  return items;
}

std::optional<std::size_t> size_of(const Value& values) {
  if (const MarkedText* text = values.text()) return text->length();
  if (const Sequence* list = values.sequence()) return list->items.size();
  if (const Dict* object = values.dict()) return object->entries().size();
  if (values.is_undefined()) return 0;
  return std::nullopt;
}

Loop::Loop(
    Value values, std::function<bool(const Value&)> filter, Budget& budget)
    : values_(values),
      budget_(budget),
      cursor_(std::move(values), budget),
      filter_(std::move(filter)),
      depth_(values_.depth() + 1) {
  budget_.nests(depth_);
}

bool Loop::pull(Value& item) {
  while (cursor_.next(item)) {
    if (!filter_ || filter_(item)) return true;
  }
  return false;
}

bool Loop::advance(Value& item) {
  if (!ahead_.empty()) {
    item = std::move(ahead_.back());
    ahead_.pop_back();
  } else if (!pull(item)) {
    return false;
  }
  ++index0_;
  before_ = std::move(current_);
  current_ = item;
  return true;
}

bool Loop::peek() {
  if (!ahead_.empty()) return true;
  Value item;
  if (!pull(item)) return false;
  ahead_.push_back(std::move(item));
  return true;
}

std::int64_t Loop::length() {
  if (length_) return *length_;
  if (!filter_ && size_of(values_)) {
    length_ = static_cast<std::int64_t>(*size_of(values_));
    return *length_;
  }
  std::vector<Value> rest(ahead_.rbegin(), ahead_.rend());
  for (Value item; pull(item);) {
    budget_.will_need(static_cast<double>(rest.size() * sizeof(Value)));
    rest.push_back(item);
  }
  ahead_.assign(rest.rbegin(), rest.rend());
  length_ = index0_ + 1 + static_cast<std::int64_t>(ahead_.size());
  return *length_;
}

Value Loop::attribute(const std::string& name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek();
  if (name == "length") return length();
  if (name == "revindex") return length() - index0_;
  if (name == "revindex0") return length() - index0_ - 1;
  if (name == "depth") return 1;
  if (name == "depth0") return 0;
  if (name == "previtem") {
    if (index0_ == 0) return Value::undefined("there is no previous item");
    return before_;
  }
  if (name == "nextitem") {
    if (!peek()) return Value::undefined("there is no next item");
    return ahead_.back();
  }
  return {};
}

bool Loop::changed(std::vector<Value> values) {
  if (last_changed_ && last_changed_->size() == values.size() &&
      std::equal(
          values.begin(),
          values.end(),
          last_changed_->begin(),
          [&](const Value& a, const Value& b) { return equal(a, b, budget_); }))
    return false;
  last_changed_ = std::move(values);
  return true;
}

}  // namespace moft::jinja
