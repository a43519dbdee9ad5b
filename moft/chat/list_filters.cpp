// One table of filters.
#include "moft/chat/list_filters.h"

#include <algorithm>
#include <utility>

#include "moft/chat/methods.h"
#include "moft/chat/operators.h"
#include "moft/chat/text_cases.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// Item as what sorts, groups and chooses see: an attribute of it, the case of
// a text dropped.
struct Keyed {
  Value key;
  Value item;
};

Value key_of(Run& run, Value item, const Value& path, bool by_case) {
  if (!path.is_missing() && !path.is_none()) item = path_of(run, item, path);
  if (item.text() == nullptr || by_case) return item;
  run.budget().copies(4 * item.text()->size());
  return run.text(lower(*item.text()));
}

std::vector<Keyed> keyed(
    Run& run, const Value& values, const Value& path, bool by_case) {
  std::vector<Keyed> result;
  for (Value& item : items_of(values, run.budget()))
    result.push_back({key_of(run, item, path, by_case), item});
  return result;
}

void sort_by_key(Run& run, std::vector<Keyed>& items, bool backwards) {
  const auto comes_before = [&](const Keyed& a, const Keyed& b) {
    return backwards ? less(b.key, a.key, run.budget())
                     : less(a.key, b.key, run.budget());
  };
  std::stable_sort(items.begin(), items.end(), comes_before);
}

Value sorted(Run& run, std::vector<Keyed> items, bool backwards) {
  sort_by_key(run, items, backwards);
  std::vector<Value> result;
  for (Keyed& each : items)
    result.push_back(std::move(each.item));
  return run.list(std::move(result));
}

// By one attribute or several, "a,b".
Value filter_sort(Run& run, const Bound& bound) {
  std::vector<Value> paths = {bound[3]};
  if (const MarkedText* text = bound[3].text()) {
    paths.clear();
    for (const std::string& path : split(text->bytes(), ','))
      paths.push_back(Value::constant(path));
  }
  std::vector<Keyed> items;
  for (Value& item : items_of(bound[0], run.budget())) {
    std::vector<Value> keys;
    for (const Value& path : paths)
      keys.push_back(key_of(run, item, path, bound.truth(2, false)));
    items.push_back({run.list(std::move(keys)), std::move(item)});
  }
  return sorted(run, std::move(items), bound.truth(1, false));
}

// (key, items) for each run of equal keys of the sorted list; the key of the
// first item, in its case.
Value filter_groupby(Run& run, const Bound& bound) {
  const bool by_case = bound.truth(3, false);
  const auto with_default = [&](Value key) {
    return key.is_undefined() && bound.is_set(2) ? bound[2] : key;
  };
  std::vector<Keyed> items = keyed(run, bound[0], bound[1], by_case);
  for (Keyed& each : items)
    each.key = with_default(each.key);
  sort_by_key(run, items, false);
  std::vector<Value> groups;
  for (auto begin = items.begin(); begin != items.end();) {
    std::vector<Value> group;
    const Keyed& first = *begin;
    for (; begin != items.end() && equal(first.key, begin->key, run.budget());
         ++begin)
      group.push_back(begin->item);
    Value key = with_default(key_of(run, first.item, bound[1], true));
    groups.push_back(run.list(
        {std::move(key), run.list(std::move(group))}, Flavour::kTuple));
  }
  return run.list(std::move(groups));
}

// Lists of a number of items each, the last one filled up.
Value filter_batch(Run& run, const Bound& bound) {
  const std::int64_t size = bound.whole(1, 0);
  if (size < 1) fault("'batch' of {} items is not supported", size);
  std::vector<Value> batches;
  std::vector<Value> batch;
  const auto put = [&] {
    batches.push_back(run.list(std::exchange(batch, {})));
  };
  for (Value& item : items_of(bound[0], run.budget())) {
    if (static_cast<std::int64_t>(batch.size()) == size) put();
    batch.push_back(std::move(item));
  }
  if (!batch.empty()) {
    if (bound.is_set(2)) {
      run.budget().will_need(static_cast<double>(size) * sizeof(Value));
      batch.resize(static_cast<std::size_t>(size), bound[2]);
    }
    put();
  }
  return run.list(std::move(batches), Flavour::kGenerator);
}

// A number of lists of about the same length.
Value filter_slice(Run& run, const Bound& bound) {
  const std::int64_t slices = bound.whole(1, 0);
  if (slices < 1) fault("'slice' into {} lists is not supported", slices);
  run.budget().steps(slices);
  const std::vector<Value> items = items_of(bound[0], run.budget());
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t longer = size % slices;
  std::vector<Value> lists;
  auto at = items.begin();
  for (std::int64_t i = 0; i < slices; ++i) {
    const auto end = at + size / slices + (i < longer ? 1 : 0);
    std::vector<Value> list(at, end);
    if (bound.is_set(2) && i >= longer) list.push_back(bound[2]);
    lists.push_back(run.list(std::move(list)));
    at = end;
  }
  return run.list(std::move(lists), Flavour::kGenerator);
}

Value filter_reverse(Run& run, const Bound& bound) {
  if (const MarkedText* text = bound[0].text())
    return run.text(slice(*text, {std::nullopt, std::nullopt, -1}));
  std::vector<Value> items = items_of(bound[0], run.budget());
  std::reverse(items.begin(), items.end());
  return run.list(std::move(items), Flavour::kGenerator);
}

Value filter_unique(Run& run, const Bound& bound) {
  Dict seen(run.budget());
  std::vector<Value> items;
  for (Keyed& each : keyed(run, bound[0], bound[2], bound.truth(1, false))) {
    if (seen.find(each.key) != nullptr) continue;
    seen.put(each.key, true);
    items.push_back(std::move(each.item));
  }
  return run.list(std::move(items), Flavour::kGenerator);
}

// The first of equal ones.
template <bool kLargest>
Value filter_extreme(Run& run, const Bound& bound) {
  std::vector<Keyed> items =
      keyed(run, bound[0], bound[2], bound.truth(1, false));
  if (items.empty()) return Value::undefined("no item, the list is empty");
  const Keyed* best = items.data();
  for (const Keyed& each : items) {
    if (kLargest ? less(best->key, each.key, run.budget())
                 : less(each.key, best->key, run.budget()))
      best = &each;
  }
  return best->item;
}

Value filter_sum(Run& run, const Bound& bound) {
  Value total = bound.has(2) ? bound[2] : Value(0);
  if (total.text() != nullptr) fault("'sum' does not add texts");
  for (const Value& item : items_of(bound[0], run.budget())) {
    const bool by_path = bound.is_set(1);
    total = binary_operation(
        run, total, by_path ? path_of(run, item, bound[1]) : item, "+");
  }
  return total;
}

Value filter_length(Run&, const Bound& bound) {
  const auto size = size_of(bound[0]);
  if (!size) fault("a '{}' has no length", type_name(bound[0]));
  return static_cast<std::int64_t>(*size);
}

Value filter_list(Run& run, const Bound& bound) {
  return run.list(items_of(bound[0], run.budget()))
      .set_from_conversation(bound[0].from_conversation());
}

Value filter_first(Run& run, const Bound& bound) {
  std::vector<Value> items = items_of(bound[0], run.budget());
  if (!items.empty()) return items.front();
  return Value::undefined("'first' found an empty list");
}

Value filter_last(Run& run, const Bound& bound) {
  if (!size_of(bound[0]))
    fault("'last' of a '{}' is not supported", type_name(bound[0]));
  std::vector<Value> items = items_of(bound[0], run.budget());
  if (!items.empty()) return items.back();
  return Value::undefined("'last' found an empty list");
}

Value filter_items(Run& run, const Bound& bound) {
  if (bound[0].is_undefined()) return run.list({}, Flavour::kGenerator);
  if (bound[0].dict() == nullptr)
    fault("'items' needs an object, not a '{}'", type_name(bound[0]));
  return run.list(pairs_of(run, bound[0]), Flavour::kGenerator);
}

// By key, its case dropped.
Value filter_dictsort(Run& run, const Bound& bound) {
  need_defined(bound[0]);
  if (bound[0].dict() == nullptr)
    fault("'dictsort' needs an object, not a '{}'", type_name(bound[0]));
  const std::string by = bound.has(2) ? bound.text(2).bytes() : "key";
  if (by != "key" && by != "value") fault("'dictsort' sorts by key or value");
  const Value pairs = run.list(pairs_of(run, bound[0]));
  return sorted(
             run,
             keyed(
                 run, pairs, Value(by == "key" ? 0 : 1), bound.truth(1, false)),
             bound.truth(3, false))
      .set_from_conversation(bound[0].from_conversation());
}

constexpr NamedFilter kListFilters[] = {
    {{"batch", 2, {"value", "linecount", "fill_with"}}, filter_batch},
    {{"count", 1, {"obj"}}, filter_length},
    {{"dictsort", 1, {"value", "case_sensitive", "by", "reverse"}},
     filter_dictsort},
    {{"first", 1, {"seq"}}, filter_first},
    {{"groupby", 2, {"value", "attribute", "default", "case_sensitive"}},
     filter_groupby},
    {{"items", 1, {"value"}}, filter_items},
    {{"last", 1, {"seq"}}, filter_last},
    {{"length", 1, {"obj"}}, filter_length},
    {{"list", 1, {"value"}}, filter_list},
    {{"max", 1, {"value", "case_sensitive", "attribute"}},
     filter_extreme<true>},
    {{"min", 1, {"value", "case_sensitive", "attribute"}},
     filter_extreme<false>},
    {{"reverse", 1, {"value"}}, filter_reverse},
    {{"slice", 2, {"value", "slices", "fill_with"}}, filter_slice},
    {{"sort", 1, {"value", "reverse", "case_sensitive", "attribute"}},
     filter_sort},
    {{"sum", 1, {"iterable", "attribute", "start"}}, filter_sum},
    {{"unique", 1, {"value", "case_sensitive", "attribute"}}, filter_unique},
};

}  // namespace

std::span<const NamedFilter> list_filters() {
  return kListFilters;
}

}  // namespace moft::jinja
