// Kinds of values and what Python's bool() and type() say of them.
#include "moft/chat/value.h"

#include "moft/chat/compare.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"

namespace moft::jinja {

namespace {

constexpr std::size_t kEntryBytes = 96;
// Smaller objects are searched key by key.
constexpr std::size_t kSmall = 12;
constexpr std::size_t kFirstSlots = 64;  // a power of two

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
  const auto* held = get<std::shared_ptr<const Text>>();
  return held == nullptr ? nullptr : &(*held)->text;
}

const Sequence* Value::sequence() const {
  const auto* held = get<std::shared_ptr<const Sequence>>();
  return held == nullptr ? nullptr : held->get();
}

const Dict* Value::dict() const {
  const auto* held = get<std::shared_ptr<const Dict>>();
  return held == nullptr ? nullptr : held->get();
}

Namespace* Value::name_space() const {
  const auto* held = get<std::shared_ptr<Namespace>>();
  return held == nullptr ? nullptr : held->get();
}

Iterator* Value::iterator() const {
  const auto* held = get<std::shared_ptr<Iterator>>();
  return held == nullptr ? nullptr : held->get();
}

Loop* Value::loop() const {
  const auto* held = get<std::shared_ptr<Loop>>();
  return held == nullptr ? nullptr : held->get();
}

const Function* Value::function() const {
  const auto* held = get<std::shared_ptr<const Function>>();
  return held == nullptr ? nullptr : held->get();
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
  if (const Iterator* items = iterator()) return items->depth;
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

Value text_value(MarkedText text, Budget& budget, bool is_markup) {
  budget.copies(text.size());
  Value value(std::make_shared<const Text>(std::move(text), budget));
  return value.set_markup(is_markup);
}

Value list_value(std::vector<Value> items, Budget& budget, Flavour flavour) {
  return std::make_shared<const Sequence>(std::move(items), flavour, budget);
}

Value iterator_value(
    std::function<bool(Value&)> next, int depth, Budget& budget) {
  budget.nests(depth + 1);
  return std::make_shared<Iterator>(Iterator{std::move(next), depth + 1});
}

std::size_t Dict::place_of(const Value& key, std::size_t hash) const {
  if (slots_.empty()) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (hashes_[i] == hash && equal(entries_[i].first, key, budget_))
        return i;
    }
    return entries_.size();
  }
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at] != 0; at = (at + 1) & mask) {
    budget_.step();
    const std::size_t i = slots_[at] - 1;
    if (hashes_[i] == hash && equal(entries_[i].first, key, budget_)) return i;
  }
  return entries_.size();
}

void Dict::rebuild_slots() {
  held_.grow(entries_.size() * 2 * sizeof(std::uint32_t));
  slots_.assign(slots_.empty() ? kFirstSlots : slots_.size() * 2, 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = hashes_[i] & mask;
    while (slots_[at] != 0)
      at = (at + 1) & mask;
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

void Dict::put(Value key, Value value) {
  budget_.step();
  const std::size_t hash = hash_of(key, budget_);
  const int depth = 1 + std::max(key.depth(), value.depth());
  budget_.nests(depth);
  depth_ = std::max(depth_, depth);
  const std::size_t place = place_of(key, hash);
  if (place < entries_.size()) {
    entries_[place].second = std::move(value);
    return;
  }
  held_.grow(kEntryBytes);
  entries_.emplace_back(std::move(key), std::move(value));
  hashes_.push_back(hash);
  if (entries_.size() <= kSmall) return;
  if (entries_.size() * 2 > slots_.size()) {
    rebuild_slots();
    return;
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at] != 0)
    at = (at + 1) & mask;
  slots_[at] = static_cast<std::uint32_t>(entries_.size());
}

const Value* Dict::find(const Value& key) const {
  const std::size_t place = place_of(key, hash_of(key, budget_));
  return place < entries_.size() ? &entries_[place].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const std::size_t hash = hash_of(key);
  if (slots_.empty()) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (hashes_[i] != hash) continue;
      const MarkedText* text = entries_[i].first.text();
      if (text != nullptr && text->bytes() == key) return &entries_[i].second;
    }
    return nullptr;
  }
  return find(Value::constant(key));
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Namespace::put(const std::string& name, Value value) {
  for (auto& [key, held] : attributes) {
    if (key == name) {
      held = std::move(value);
      return;
    }
  }
  attributes.emplace_back(name, std::move(value));
}

bool is_true(const Value& value) {
  if (const auto* truth = value.get<bool>()) return *truth;
  if (const auto* whole = value.get<std::int64_t>()) return *whole != 0;
  if (const auto* real = value.get<double>()) return *real != 0;
  if (const MarkedText* text = value.text()) return !text->empty();
  if (const Sequence* list = value.sequence()) return !list->items.empty();
  if (const Dict* object = value.dict()) return !object->entries().empty();
  return !(value.is_undefined() || value.is_none() || value.is_missing());
}

std::string type_name(const Value& value) {
  if (value.is_none()) return "NoneType";
  if (value.is<bool>()) return "bool";
  if (value.is<std::int64_t>()) return "int";
  if (value.is<double>()) return "float";
  if (value.text() != nullptr) return value.is_markup() ? "Markup" : "str";
  if (const Sequence* list = value.sequence()) {
    constexpr const char* kNames[] = {
        "list", "tuple", "range", "dict_keys", "dict_values", "dict_items"};
    return kNames[static_cast<std::size_t>(list->flavour)];
  }
  if (value.dict() != nullptr) return "dict";
  if (value.name_space() != nullptr) return "Namespace";
  if (value.iterator() != nullptr) return "generator";
  if (value.loop() != nullptr) return "LoopContext";
  if (value.function() != nullptr) return "function";
  return "Undefined";
}

void need_defined(const Value& value) {
  if (const auto* undefined = value.get<Undefined>())
    throw Fault(*undefined->message);
}

}  // namespace moft::jinja
