// Functions of a template.
#include "moft/chat/globals.h"

#include <algorithm>

#include "moft/chat/arguments.h"
#include "moft/chat/fault.h"
#include "moft/chat/local_time.h"
#include "moft/chat/loop.h"
#include "moft/chat/printing.h"

namespace moft::jinja {

namespace {

// jinja2's sandbox has the same limit.
constexpr std::int64_t kMaxRange = 100'000;

Value call_range(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "range", {"start", "stop", "step"}, 1);
  const bool one = !bound.has(1);
  const std::int64_t start = one ? 0 : bound.whole(0, 0);
  const std::int64_t stop = one ? bound.whole(0, 0) : bound.whole(1, 0);
  const std::int64_t step = bound.whole(2, 1);
  if (step == 0) fault("'range' cannot go in steps of 0");
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const auto distance = static_cast<std::uint64_t>(step > 0 ? stop : start) -
                        static_cast<std::uint64_t>(step > 0 ? start : stop);
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step)
                                        : 0 - static_cast<std::uint64_t>(step);
  const std::uint64_t count = empty ? 0 : (distance - 1) / stride + 1;
  if (count > static_cast<std::uint64_t>(kMaxRange))
    fault("'range' gives over {} numbers", kMaxRange);
  std::vector<Value> items;
  items.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i)
    items.emplace_back(start + static_cast<std::int64_t>(i) * step);
  run.budget().steps(static_cast<std::int64_t>(count));
  auto range = std::make_shared<Sequence>(
      std::move(items), Flavour::kRange, run.budget());
  range->range = step == 1
                     ? fmt::format("range({}, {})", start, stop)
                     : fmt::format("range({}, {}, {})", start, stop, step);
  return std::shared_ptr<const Sequence>(std::move(range));
}

// Calls put(key, value) for the entries that dict(..) and namespace(..) take:
// an object or a list of pairs, and names.
template <typename Put>
void take_entries(
    Run& run, const char* name, const Arguments& arguments, const Put& put) {
  if (arguments.positional.size() > 1)
    fault("'{}' takes one object and names", name);
  for (const Value& source : arguments.positional) {
    need_defined(source);
    if (const Dict* dict = source.dict()) {
      for (const auto& [key, value] : dict->entries())
        put(key, value);
      continue;
    }
    for (const Value& item : items_of(source, run.budget())) {
      const std::vector<Value> pair = items_of(item, run.budget());
      if (pair.size() != 2) fault("'{}' takes pairs", name);
      put(pair[0], pair[1]);
    }
  }
  for (const auto& [key, value] : arguments.named)
    put(Value::constant(key), value);
}

Value call_dict(Run& run, Arguments arguments) {
  auto dict = std::make_shared<Dict>(run.budget());
  take_entries(
      run, "dict", arguments, [&](const Value& key, const Value& value) {
        dict->put(key, value);
      });
  return std::shared_ptr<const Dict>(std::move(dict));
}

Value call_namespace(Run& run, Arguments arguments) {
  Namespace space;
  take_entries(
      run, "namespace", arguments, [&](const Value& key, const Value& value) {
        if (key.text() == nullptr) fault("'namespace' takes names as keys");
        space.put(key.text()->bytes(), value);
      });
  return run.make_namespace(std::move(space));
}

Value call_raise(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "raise_exception", {"message"}, 1);
  const MarkedText message = printed(bound[0], run.budget());
  throw Fault("the template refuses the conversation: " + message.bytes());
}

Value call_strftime(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "strftime_now", {"format"}, 1);
  return run.text(local_time(bound.text(0), run.now(), run.budget()));
}

template <typename Call>
void add(Run& run, const char* name, Call call) {
  run.set_variable(name, run.function(name, call));
}

}  // namespace

void add_globals(Run& run) {
  add(run, "range", call_range);
  add(run, "dict", call_dict);
  add(run, "namespace", call_namespace);
  add(run, "raise_exception", call_raise);
  add(run, "strftime_now", call_strftime);
  for (const char* name : {"lipsum", "cycler", "joiner"}) {
    add(run, name, [name](Run&, const Arguments&) -> Value {
      fault("the function '{}' is not supported", name);
    });
  }
}

}  // namespace moft::jinja
