// Filters on lists and objects; those that are generators in jinja2 are
// iterators here, too.
#include "moft/chat/list_filters.h"

#include <algorithm>
#include <memory>

#include "moft/chat/arguments.h"
#include "moft/chat/compare.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"
#include "moft/chat/numbers.h"
#include "moft/chat/operators.h"
#include "moft/chat/template_tests.h"
#include "moft/chat/text_cases.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// Texts in lower case, for comparisons that do not look at it.
Value without_case(Run& run, const Value& value) {
  if (value.text() == nullptr) return value;
  run.budget().copies(4 * value.text()->size());
  return run.text(lower(*value.text()));
}

Value nothing(Run& run) {
  return iterator_value([](Value&) { return false; }, 0, run.budget());
}

// What a filter compares of an item: an attribute of it, its case dropped.
class KeyOf {
 public:
  KeyOf(Run& run, Value path, bool case_sensitive, Value otherwise = {})
      : run_(run),
        path_(std::move(path)),
        otherwise_(std::move(otherwise)),
        case_sensitive_(case_sensitive) {}

  Value operator()(const Value& item) const {
    Value key = path_.is_missing() || path_.is_none()
                    ? item
                    : path_of(run_, item, path_);
    if (key.is_undefined() && !otherwise_.is_missing() && !otherwise_.is_none())
      key = otherwise_;
    return case_sensitive_ ? key : without_case(run_, key);
  }

 private:
  Run& run_;
  const Value path_;
  const Value otherwise_;
  const bool case_sensitive_;
};

struct Keyed {
  Value key;
  Value item;
};

void sort_by_key(Run& run, std::vector<Keyed>& items, bool reverse) {
  std::stable_sort(
      items.begin(), items.end(), [&](const auto& a, const auto& b) {
        return reverse ? less(b.key, a.key, run.budget())
                       : less(a.key, b.key, run.budget());
      });
}

std::vector<Value> without_keys(std::vector<Keyed> items) {
  std::vector<Value> values;
  values.reserve(items.size());
  for (Keyed& each : items)
    values.push_back(std::move(each.item));
  return values;
}

Value filter_first(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "first", {"seq"}, 1);
  Cursor cursor(bound[0], run.budget());
  Value item;
  if (cursor.next(item)) return item;
  return Value::undefined("'first' found an empty list");
}

Value filter_last(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "last", {"seq"}, 1);
  if (bound[0].iterator() != nullptr)
    fault("'last' does not take a generator; make it a list first");
  std::vector<Value> items = items_of(bound[0], run.budget());
  if (!items.empty()) return items.back();
  return Value::undefined("'last' found an empty list");
}

Value filter_list(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "list", {"value"}, 1);
  return run.list(items_of(bound[0], run.budget()))
      .set_from_conversation(bound[0].from_conversation());
}

Value filter_reverse(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "reverse", {"value"}, 1);
  if (const MarkedText* text = bound[0].text()) {
    SliceBounds bounds;
    bounds.step = -1;
    run.budget().copies(4 * text->size());
    return run.text(slice(*text, bounds), bound[0].is_markup());
  }
  auto items =
      std::make_shared<std::vector<Value>>(items_of(bound[0], run.budget()));
  // Python reverses a generator into a list, all others lazily.
  if (bound[0].iterator() != nullptr) {
    std::reverse(items->begin(), items->end());
    return run.list(std::move(*items));
  }
  return iterator_value(
      [items](Value& item) {
        if (items->empty()) return false;
        item = std::move(items->back());
        items->pop_back();
        return true;
      },
      bound[0].depth(),
      run.budget());
}

Value filter_sort(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments),
      "sort",
      {"value", "reverse", "case_sensitive", "attribute"},
      1);
  // By several attributes, "a,b", one after the other.
  std::vector<KeyOf> keys_of;
  const bool by_case = bound.truth(2, false);
  if (bound.is_set(3) && bound[3].text() != nullptr) {
    for (const std::string& path : split(bound[3].text()->bytes(), ','))
      keys_of.emplace_back(run, Value::constant(path), by_case);
  } else {
    keys_of.emplace_back(run, bound[3], by_case);
  }
  std::vector<Keyed> items;
  for (const Value& item : items_of(bound[0], run.budget())) {
    std::vector<Value> keys;
    for (const KeyOf& key_of : keys_of)
      keys.push_back(key_of(item));
    items.push_back({run.list(std::move(keys)), item});
  }
  sort_by_key(run, items, bound.truth(1, false));
  return run.list(without_keys(std::move(items)));
}

Value filter_dictsort(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments),
      "dictsort",
      {"value", "case_sensitive", "by", "reverse"},
      1);
  need_defined(bound[0]);
  const Dict* dict = bound[0].dict();
  if (dict == nullptr)
    fault("'dictsort' needs an object, not a '{}'", type_name(bound[0]));
  const std::string by = bound.optional_text(2).value_or("key");
  if (by != "key" && by != "value")
    fault("'dictsort' sorts by 'key' or 'value'");
  const KeyOf key_of(run, {}, bound.truth(1, false));
  std::vector<Keyed> items;
  for (const auto& [key, value] : dict->entries()) {
    items.push_back(
        {key_of(by == "key" ? key : value),
         run.list({key, value}, Flavour::kTuple)
             .set_from_conversation(bound[0].from_conversation())});
  }
  sort_by_key(run, items, bound.truth(3, false));
  return run.list(without_keys(std::move(items)))
      .set_from_conversation(bound[0].from_conversation());
}

Value filter_items(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "items", {"value"}, 1);
  const Value& value = bound[0];
  if (!value.is_undefined() && value.dict() == nullptr)
    fault("'items' needs an object, not a '{}'", type_name(value));
  return iterator_value(
      [&run, value, at = std::size_t{0}](Value& item) mutable {
        const Dict* dict = value.dict();
        if (dict == nullptr || at >= dict->entries().size()) return false;
        const auto& [key, held] = dict->entries()[at++];
        item = run.list({key, held}, Flavour::kTuple)
                   .set_from_conversation(value.from_conversation());
        return true;
      },
      value.depth(),
      run.budget());
}

Value filter_unique(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments),
      "unique",
      {"value", "case_sensitive", "attribute"},
      1);
  auto cursor = std::make_shared<Cursor>(bound[0], run.budget());
  auto seen = std::make_shared<Dict>(run.budget());
  const KeyOf key_of(run, bound[2], bound.truth(1, false));
  return iterator_value(
      [cursor, seen, key_of](Value& item) {
        while (cursor->next(item)) {
          const Value key = key_of(item);
          if (seen->find(key) != nullptr) continue;
          seen->put(key, true);
          return true;
        }
        return false;
      },
      bound[0].depth(),
      run.budget());
}

// min and max: the first of equal ones.
Value extreme(Run& run, Arguments arguments, bool largest) {
  const Bound bound(
      std::move(arguments),
      largest ? "max" : "min",
      {"value", "case_sensitive", "attribute"},
      1);
  const KeyOf key_of(run, bound[2], bound.truth(1, false));
  Cursor cursor(bound[0], run.budget());
  Keyed best;
  for (Value item; cursor.next(item);) {
    Value key = key_of(item);
    const bool better =
        best.key.is_missing() || (largest ? less(best.key, key, run.budget())
                                          : less(key, best.key, run.budget()));
    if (better) best = {std::move(key), item};
  }
  if (!best.key.is_missing()) return best.item;
  return Value::undefined("no item to choose from: the list is empty");
}

Value filter_min(Run& run, Arguments arguments) {
  return extreme(run, std::move(arguments), false);
}
Value filter_max(Run& run, Arguments arguments) {
  return extreme(run, std::move(arguments), true);
}

Value filter_sum(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "sum", {"iterable", "attribute", "start"}, 1);
  Value total = bound.has(2) ? bound[2] : Value(0);
  if (total.text() != nullptr) fault("'sum' does not add texts");
  Cursor cursor(bound[0], run.budget());
  for (Value item; cursor.next(item);) {
    if (bound.is_set(1)) item = path_of(run, item, bound[1]);
    total = binary_operation(run, total, item, "+");
  }
  return total;
}

// map('filter', ..) and map(attribute='..', default=..).
Value filter_map(Run& run, Arguments arguments) {
  if (arguments.positional.empty()) fault("'map' needs a list");
  const Value values = arguments.positional[0];
  if (!is_true(values)) return nothing(run);
  auto cursor = std::make_shared<Cursor>(values, run.budget());
  if (arguments.positional.size() == 1) {
    const Bound bound(
        std::move(arguments), "map", {"value", "attribute", "default"}, 2);
    const KeyOf key_of(run, bound[1], true, bound[2]);
    return iterator_value(
        [cursor, key_of](Value& item) {
          if (!cursor->next(item)) return false;
          item = key_of(item);
          return true;
        },
        values.depth() + bound[2].depth(),
        run.budget());
  }
  const MarkedText* name = arguments.positional[1].text();
  if (name == nullptr) fault("'map' needs the name of a filter");
  arguments.positional.erase(
      arguments.positional.begin(), arguments.positional.begin() + 2);
  int depth = values.depth();
  for (const Value& value : arguments.positional)
    depth = std::max(depth, value.depth());
  return iterator_value(
      [&run, cursor, filter = name->bytes(), arguments](Value& item) {
        if (!cursor->next(item)) return false;
        Arguments call = arguments;
        call.positional.insert(call.positional.begin(), item);
        item = apply_filter(run, filter, std::move(call));
        return true;
      },
      depth,
      run.budget());
}

// select, reject (of the items) and selectattr, rejectattr (of an attribute).
Value choose(Run& run, Arguments arguments, bool by_attribute, bool keep) {
  auto& positional = arguments.positional;
  if (positional.empty()) fault("'select' needs a list");
  const Value values = positional[0];
  positional.erase(positional.begin());
  if (!is_true(values)) return nothing(run);
  Value path;
  if (by_attribute) {
    if (positional.empty()) fault("'selectattr' needs an attribute");
    path = positional[0];
    positional.erase(positional.begin());
  }
  std::string test;
  if (!positional.empty()) {
    if (positional[0].text() == nullptr) fault("'select' needs a test's name");
    test = positional[0].text()->bytes();
    positional.erase(positional.begin());
  }
  int depth = values.depth();
  for (const Value& value : positional)
    depth = std::max(depth, value.depth());
  auto cursor = std::make_shared<Cursor>(values, run.budget());
  return iterator_value(
      [&run, cursor, path, test, arguments, keep](Value& item) {
        while (cursor->next(item)) {
          const Value tested =
              path.is_missing() ? item : path_of(run, item, path);
          Arguments call = arguments;
          call.positional.insert(call.positional.begin(), tested);
          const bool holds = test.empty()
                                 ? is_true(tested)
                                 : apply_test(run, test, std::move(call));
          if (holds == keep) return true;
        }
        return false;
      },
      depth,
      run.budget());
}

Value filter_select(Run& run, Arguments arguments) {
  return choose(run, std::move(arguments), false, true);
}
Value filter_reject(Run& run, Arguments arguments) {
  return choose(run, std::move(arguments), false, false);
}
Value filter_selectattr(Run& run, Arguments arguments) {
  return choose(run, std::move(arguments), true, true);
}
Value filter_rejectattr(Run& run, Arguments arguments) {
  return choose(run, std::move(arguments), true, false);
}

constexpr NamedFilter kListFilters[] = {
    {"dictsort", filter_dictsort},
    {"first", filter_first},
    {"items", filter_items},
    {"last", filter_last},
    {"list", filter_list},
    {"map", filter_map},
    {"max", filter_max},
    {"min", filter_min},
    {"reject", filter_reject},
    {"rejectattr", filter_rejectattr},
    {"reverse", filter_reverse},
    {"select", filter_select},
    {"selectattr", filter_selectattr},
    {"sort", filter_sort},
    {"sum", filter_sum},
    {"unique", filter_unique},
};

}  // namespace

std::span<const NamedFilter> list_filters() {
  return kListFilters;
}

}  // namespace moft::jinja
