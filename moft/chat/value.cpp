// Kinds of values, their truth, names, equality and order.
#include "moft/chat/value.h"

#include <algorithm>

#include "moft/chat/run.h"

namespace moft::jinja {

namespace {

constexpr std::size_t kEntryBytes = 160;

bool same_items(const Sequence& a, const Sequence& b, Budget& budget) {
  if (a.flavour >= Flavour::kItems || b.flavour >= Flavour::kItems)
    fault("the items of an object are not compared; make them a list");
  return a.flavour == b.flavour && std::equal(
                                       a.items.begin(),
                                       a.items.end(),
                                       b.items.begin(),
                                       b.items.end(),
                                       [&](const Value& x, const Value& y) {
                                         return equal(x, y, budget);
                                       });
}

bool same_entries(const Dict& a, const Dict& b, Budget& budget) {
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (other == nullptr || !equal(value, *other, budget)) return false;
  }
  return true;
}

}  // namespace

Value Value::undefined(std::string message) {
  Value value;
  value.data_ =
      Undefined{std::make_shared<const std::string>(std::move(message))};
  return value;
}

Value Value::constant(std::string_view text) {
  return std::make_shared<const Text>(MarkedText(text));
}

const MarkedText* Value::text() const {
  const auto* text = held<const Text>();
  return text == nullptr ? nullptr : &text->text;
}

bool Value::integer(std::int64_t& result) const {
  if (const auto* whole = get<std::int64_t>()) {
    result = *whole;
  } else if (const auto* truth = get<bool>()) {
    result = *truth ? 1 : 0;
  } else {
    return false;
  }
  return true;
}

bool Value::number(double& result) const {
  if (const auto* real = get<double>()) {
    result = *real;
    return true;
  }
  std::int64_t whole = 0;
  if (!integer(whole)) return false;
  result = static_cast<double>(whole);
  return true;
}

int Value::depth() const {
  if (const Sequence* list = sequence()) return list->depth;
  if (const Dict* object = dict()) return object->depth();
  if (const Function* callee = function()) return callee->depth;
  if (const Loop* state = loop()) return state->depth();
  return 0;
}

Sequence::Sequence(std::vector<Value> values, Flavour kind, Budget& budget)
    : items(std::move(values)),
      flavour(kind),
      held(budget, items.size() * sizeof(Value) + 64) {
  budget.steps(1 + static_cast<std::int64_t>(items.size() / 8));
  for (const Value& item : items)
    depth = std::max(depth, item.depth() + 1);
  budget.nests(depth);
}

Value text_value(MarkedText text, Budget& budget) {
  budget.copies(text.size());
  return std::make_shared<const Text>(std::move(text), budget);
}

Value list_value(std::vector<Value> items, Budget& budget, Flavour flavour) {
  return std::make_shared<const Sequence>(std::move(items), flavour, budget);
}

void Dict::put(Value key, Value value) {
  budget_.step();
  const std::string_view name = plain_text(key, "the key of an object").bytes();
  const int depth = 1 + value.depth();
  budget_.nests(depth);
  depth_ = std::max(depth_, depth);
  const auto [place, is_new] = places_.try_emplace(name, entries_.size());
  if (!is_new) {
    entries_[place->second].second = std::move(value);
    return;
  }
  held_.grow(kEntryBytes);
  entries_.emplace_back(std::move(key), std::move(value));
}

const Value* Dict::find(std::string_view key) const {
  const auto place = places_.find(key);
  return place == places_.end() ? nullptr : &entries_[place->second].second;
}

const Value* Dict::find(const Value& key) const {
  budget_.step();
  double number = 0;
  if (const MarkedText* text = key.text()) return find(text->bytes());
  const bool is_scalar =
      key.number(number) || key.is_none() || key.is_undefined();
  if (!is_scalar) fault("a '{}' is not the key of an object", type_name(key));
  return nullptr;
}

bool is_true(const Value& value) {
  if (const auto* truth = value.get<bool>()) return *truth;
  if (const auto* whole = value.get<std::int64_t>()) return *whole != 0;
  if (const auto* real = value.get<double>()) return *real != 0;
  if (const MarkedText* text = value.text()) return !text->empty();
  if (const Sequence* list = value.sequence())
    return !list->items.empty() || list->flavour == Flavour::kGenerator;
  if (const Dict* object = value.dict()) return !object->entries().empty();
  return !(value.is_undefined() || value.is_none() || value.is_missing());
}

std::string type_name(const Value& value) {
  if (value.is_none()) return "NoneType";
  if (value.is<bool>()) return "bool";
  if (value.is<std::int64_t>()) return "int";
  if (value.is<double>()) return "float";
  if (value.text() != nullptr) return "str";
  if (const Sequence* list = value.sequence()) {
    constexpr const char* kNames[] = {
        "list", "tuple", "range", "dict_items", "generator"};
    return kNames[static_cast<std::size_t>(list->flavour)];
  }
  if (value.dict() != nullptr) return "dict";
  if (value.name_space() != nullptr) return "Namespace";
  if (value.loop() != nullptr) return "LoopContext";
  if (value.function() != nullptr) return "function";
  return "Undefined";
}

void need_defined(const Value& value) {
  if (const auto* undefined = value.get<Undefined>())
    throw Fault(*undefined->message);
}

const MarkedText& plain_text(const Value& value, std::string_view user) {
  need_defined(value);
  if (value.text() == nullptr)
    fault("{} needs a text, not a '{}'", user, type_name(value));
  if (value.is_safe())
    fault("{} does not support a text of the filter 'safe'", user);
  return *value.text();
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  const Level level(budget);
  budget.step();
  if (a.text() != nullptr && b.text() != nullptr) {
    if (a.text()->size() != b.text()->size()) return false;
    budget.copies(a.text()->size());
    return a.text()->bytes() == b.text()->bytes();
  }
  std::int64_t whole_a = 0;
  std::int64_t whole_b = 0;
  if (a.integer(whole_a) && b.integer(whole_b)) return whole_a == whole_b;
  double real_a = 0;
  double real_b = 0;
  if (a.number(real_a) && b.number(real_b)) return real_a == real_b;
  if (a.sequence() != nullptr && b.sequence() != nullptr)
    return same_items(*a.sequence(), *b.sequence(), budget);
  if (a.dict() != nullptr && b.dict() != nullptr)
    return same_entries(*a.dict(), *b.dict(), budget);
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_undefined() || b.is_undefined())
    return a.is_undefined() && b.is_undefined();
  return (a.name_space() != nullptr && a.name_space() == b.name_space()) ||
         (a.loop() != nullptr && a.loop() == b.loop()) ||
         (a.function() != nullptr && a.function() == b.function());
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  if (a.text() != nullptr && b.text() != nullptr) {
    budget.copies(std::min(a.text()->size(), b.text()->size()));
    return a.text()->bytes() < b.text()->bytes();
  }
  std::int64_t whole_a = 0;
  std::int64_t whole_b = 0;
  if (a.integer(whole_a) && b.integer(whole_b)) return whole_a < whole_b;
  double real_a = 0;
  double real_b = 0;
  if (a.number(real_a) && b.number(real_b)) return real_a < real_b;
  need_defined(a);
  need_defined(b);
  fault("'<' of '{}' and '{}' is not supported", type_name(a), type_name(b));
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  if (const MarkedText* text = container.text()) {
    if (item.text() == nullptr) {
      fault(
          "'in' of a text needs a text before it, not a '{}'", type_name(item));
    }
    budget.copies(text->size());
    return text->bytes().find(item.text()->bytes()) != std::string::npos;
  }
  if (const Dict* object = container.dict())
    return object->find(item) != nullptr;
  if (container.is_undefined()) return false;
  const Sequence* list = container.sequence();
  if (list != nullptr && list->flavour != Flavour::kGenerator) {
    return std::any_of(
        list->items.begin(), list->items.end(), [&](const Value& each) {
          return equal(each, item, budget);
        });
  }
  fault("'in' does not search a '{}'", type_name(container));
}

}  // namespace moft::jinja
