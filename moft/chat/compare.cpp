// Comparisons by Python's rules.
#include "moft/chat/compare.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "moft/chat/fault.h"

namespace moft::jinja {

namespace {

bool same_items(const Sequence& a, const Sequence& b, Budget& budget) {
  const bool same_kind =
      a.flavour == b.flavour && a.flavour != Flavour::kDictValues;
  if (!same_kind || a.items.size() != b.items.size()) return &a == &b;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!equal(a.items[i], b.items[i], budget)) return false;
  }
  return true;
}

bool same_entries(const Dict& a, const Dict& b, Budget& budget) {
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (other == nullptr || !equal(value, *other, budget)) return false;
  }
  return true;
}

bool less_items(const Sequence& a, const Sequence& b, Budget& budget) {
  const std::size_t shared = std::min(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < shared; ++i) {
    if (!equal(a.items[i], b.items[i], budget))
      return less(a.items[i], b.items[i], budget);
  }
  return a.items.size() < b.items.size();
}

// Numbers: exact where both are whole.
bool equal_numbers(const Value& a, const Value& b, bool& are_numbers) {
  std::int64_t whole_a = 0;
  std::int64_t whole_b = 0;
  double real_a = 0;
  double real_b = 0;
  are_numbers = a.number(real_a) && b.number(real_b);
  if (!are_numbers) return false;
  if (a.integer(whole_a) && b.integer(whole_b)) return whole_a == whole_b;
  return real_a == real_b;
}

}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
  const Level level(budget);
  budget.step();
  const MarkedText* text_a = a.text();
  const MarkedText* text_b = b.text();
  if (text_a != nullptr && text_b != nullptr) {
    if (text_a->size() != text_b->size()) return false;
    budget.copies(text_a->size());
    return text_a->bytes() == text_b->bytes();
  }
  bool are_numbers = false;
  const bool same_number = equal_numbers(a, b, are_numbers);
  if (are_numbers) return same_number;
  if (a.sequence() != nullptr && b.sequence() != nullptr)
    return same_items(*a.sequence(), *b.sequence(), budget);
  if (a.dict() != nullptr && b.dict() != nullptr)
    return same_entries(*a.dict(), *b.dict(), budget);
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_undefined() || b.is_undefined())
    return a.is_undefined() && b.is_undefined();
  return (a.name_space() != nullptr && a.name_space() == b.name_space()) ||
         (a.iterator() != nullptr && a.iterator() == b.iterator()) ||
         (a.loop() != nullptr && a.loop() == b.loop()) ||
         (a.function() != nullptr && a.function() == b.function());
}

bool less(const Value& a, const Value& b, Budget& budget) {
  const Level level(budget);
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
  const Sequence* list_a = a.sequence();
  const Sequence* list_b = b.sequence();
  if (list_a != nullptr && list_b != nullptr &&
      list_a->flavour == list_b->flavour &&
      (list_a->flavour == Flavour::kList || list_a->flavour == Flavour::kTuple))
    return less_items(*list_a, *list_b, budget);
  need_defined(a);
  need_defined(b);
  fault("'{}' and '{}' have no order", type_name(a), type_name(b));
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
  if (const Sequence* list = container.sequence()) {
    return std::any_of(
        list->items.begin(), list->items.end(), [&](const Value& each) {
          return equal(each, item, budget);
        });
  }
  if (const Dict* object = container.dict())
    return object->find(item) != nullptr;
  if (container.is_undefined()) return false;
  if (Iterator* items = container.iterator()) {
    for (Value each; items->next(each);) {
      if (equal(each, item, budget)) return true;
    }
    return false;
  }
  fault("'in' does not search a '{}'", type_name(container));
}

std::size_t hash_of(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

std::size_t hash_of(const Value& value, Budget& budget) {
  const Level level(budget);
  budget.step();
  if (const MarkedText* text = value.text()) {
    budget.copies(text->size());
    return hash_of(text->bytes());
  }
  double number = 0;
  if (value.number(number)) return std::hash<double>()(number);
  const Sequence* list = value.sequence();
  if (list != nullptr && list->flavour == Flavour::kTuple) {
    std::size_t hash = 17;
    for (const Value& item : list->items)
      hash = hash * 31 + hash_of(item, budget);
    return hash;
  }
  if (value.is_none()) return 1;
  if (value.is_undefined()) return 2;
  fault("a '{}' cannot be a key", type_name(value));
}

}  // namespace moft::jinja
