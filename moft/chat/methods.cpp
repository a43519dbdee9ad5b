// Tables of methods of objects and lists, and of functions.
#include "moft/chat/methods.h"

#include <algorithm>
#include <ctime>

#include "moft/chat/printing.h"
#include "moft/chat/text_methods.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// `self` is of the kind that the table is for.
using Method = Value (*)(Run&, const Value& self, const Bound&);
struct NamedMethod {
  Signature signature;
  Method call;
};

Value call_get(Run&, const Value& self, const Bound& bound) {
  const Value* found = self.dict()->find(bound[0]);
  if (found != nullptr) return *found;
  return bound.has(1) ? bound[1] : Value(None{});
}

Value call_items(Run& run, const Value& self, const Bound&) {
  return run.list(pairs_of(run, self), Flavour::kItems)
      .set_from_conversation(self.from_conversation());
}

template <bool kKeys>
Value call_entries(Run& run, const Value& self, const Bound&) {
  std::vector<Value> items;
  for (const auto& [key, value] : self.dict()->entries())
    items.push_back(kKeys ? key : value);
  return run.list(std::move(items), Flavour::kItems)
      .set_from_conversation(self.from_conversation());
}

Value call_copy(Run&, const Value& self, const Bound&) {
  return self;
}

constexpr NamedMethod kDictMethods[] = {
    {{"copy"}, call_copy},
    {{"get", 1, {"key", "default"}}, call_get},
    {{"items"}, call_items},
    {{"keys"}, call_entries<true>},
    {{"values"}, call_entries<false>},
};

Value count_in_list(Run& run, const Value& self, const Bound& bound) {
  const auto& items = self.sequence()->items;
  return static_cast<std::int64_t>(
      std::count_if(items.begin(), items.end(), [&](const Value& item) {
        return equal(item, bound[0], run.budget());
      }));
}

Value index_in_list(Run& run, const Value& self, const Bound& bound) {
  const auto& items = self.sequence()->items;
  const auto place =
      std::find_if(items.begin(), items.end(), [&](const Value& item) {
        return equal(item, bound[0], run.budget());
      });
  if (place == items.end()) fault("'index' does not find the value");
  return static_cast<std::int64_t>(place - items.begin());
}

constexpr NamedMethod kListMethods[] = {
    {{"copy"}, call_copy},
    {{"count", 1, {"value"}}, count_in_list},
    {{"index", 1, {"value"}}, index_in_list},
};

Value call_changed(Run& run, const Value& self, Arguments arguments) {
  return run.changed(self.shared_loop(), std::move(arguments.positional));
}

Value call_cycle(Run&, const Value& self, Arguments arguments) {
  const auto& values = arguments.positional;
  if (values.empty()) fault("'loop.cycle' needs values");
  const auto turn = static_cast<std::size_t>(self.loop()->index0());
  return values[turn % values.size()];
}

// What Python and jinja2 have and templates were not seen to use.
constexpr std::string_view kOtherOfDicts =
    " clear fromkeys pop popitem setdefault update ";
constexpr std::string_view kOtherOfLists =
    " append clear extend grouper insert pop remove reverse sort ";
constexpr std::string_view kOtherOfNumbers =
    " as_integer_ratio bit_count bit_length conjugate denominator from_bytes "
    "fromhex hex imag is_integer numerator real to_bytes ";

// The method of a table, Missing if there is none.
template <std::size_t kSize>
Value find_method(
    Run& run,
    const Value& self,
    const std::string& name,
    const NamedMethod (&table)[kSize]) {
  const auto* method =
      std::find_if(std::begin(table), std::end(table), [&](const auto& each) {
        return each.signature.name == name;
      });
  if (method == std::end(table)) return {};
  return run.function(
      [self, method](Run& at, Arguments arguments) {
        return method->call(
            at, self, Bound(std::move(arguments), method->signature));
      },
      self.depth());
}

std::string_view others_of(const Value& object) {
  double number = 0;
  if (object.dict() != nullptr) return kOtherOfDicts;
  if (object.sequence() != nullptr) return kOtherOfLists;
  return object.number(number) ? kOtherOfNumbers : std::string_view();
}

// jinja2's sandbox has the same limit.
constexpr std::int64_t kMaxRange = 100'000;

Value call_range(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), {"range", 1, {"start", "stop", "step"}});
  const bool one = !bound.has(1);
  const std::int64_t start = one ? 0 : bound.whole(0, 0);
  const std::int64_t stop = one ? bound.whole(0, 0) : bound.whole(1, 0);
  const std::int64_t step = bound.whole(2, 1);
  if (step == 0) fault("'range' cannot go in steps of 0");
  std::vector<Value> items;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<std::int64_t>(items.size()) == kMaxRange)
      fault("'range' gives over {} numbers", kMaxRange);
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  run.budget().steps(static_cast<std::int64_t>(items.size()));
  return run.list(std::move(items), Flavour::kRange);
}

// Calls put(key, value) for what dict(..) and namespace(..) take: an object or
// a list of pairs, and names.
template <typename Put>
void take_entries(
    Run& run, const char* name, const Arguments& arguments, const Put& put) {
  if (arguments.positional.size() > 1)
    fault("'{}' takes one object, and names", name);
  for (const Value& source : arguments.positional) {
    need_defined(source);
    std::vector<Value> pairs;
    if (source.dict() != nullptr) pairs = pairs_of(run, source);
    if (source.dict() == nullptr) pairs = items_of(source, run.budget());
    for (const Value& item : pairs) {
      const std::vector<Value> pair = items_of(item, run.budget());
      if (pair.size() != 2) fault("'{}' takes pairs", name);
      put(pair[0], pair[1]);
    }
  }
  for (const auto& [key, value] : arguments.named)
    put(run.text(MarkedText(key, arguments.name_marks)), value);
}

Value call_dict(Run& run, Arguments arguments) {
  auto dict = std::make_shared<Dict>(run.budget());
  take_entries(
      run, "dict", arguments, [&](const Value& key, const Value& item) {
        dict->put(key, item);
      });
  return std::shared_ptr<const Dict>(std::move(dict));
}

Value call_namespace(Run& run, Arguments arguments) {
  Namespace space;
  take_entries(
      run, "namespace", arguments, [&](const Value& key, const Value& item) {
        const std::string& name = plain_text(key, "'namespace'").bytes();
        space.attributes.insert_or_assign(name, item);
      });
  return run.make_namespace(std::move(space));
}

Value call_raise(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), {"raise_exception", 1, {"message"}});
  const MarkedText message = printed(bound[0], run.budget());
  throw Fault("the template refuses the conversation: " + message.bytes());
}

// strftime of the local time, as Python's datetime.now().strftime in the
// C locale.
Value call_strftime(Run& run, Arguments arguments) {
  static constexpr std::string_view kKnown = "aAbBcdDeFhHIjmMpRSTuUwWxXyY%";
  const Bound bound(std::move(arguments), {"strftime_now", 1, {"format"}});
  const MarkedText& format = bound.text(0);
  const std::string& bytes = format.bytes();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(run.now());
  std::tm time{};
  localtime_r(&seconds, &time);
  MarkedText result;
  std::size_t shown = 0;
  for (std::size_t at = bytes.find('%'); at != std::string::npos;
       at = bytes.find('%', shown)) {
    const bool plain = bytes.substr(at, 2) == "%-";  // without leading zeros
    const std::string conversion = bytes.substr(at, plain ? 3 : 2);
    if (conversion.size() == (plain ? 2u : 1u) ||
        kKnown.find(conversion.back()) == std::string_view::npos)
      fault("strftime_now does not support {}", quote_text(conversion));
    char buffer[64];
    const std::size_t size =
        std::strftime(buffer, sizeof buffer, conversion.c_str(), &time);
    result.append(format, shown, at);
    result.append({buffer, size}, format.marks_at(at));
    run.budget().step();
    shown = at + conversion.size();
  }
  result.append(format, shown, bytes.size());
  return run.text(std::move(result));
}

}  // namespace

std::vector<Value> pairs_of(Run& run, const Value& object) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : object.dict()->entries()) {
    pairs.push_back(run.list({key, value}, Flavour::kTuple)
                        .set_from_conversation(object.from_conversation()));
  }
  return pairs;
}

Value method_of(Run& run, const Value& object, const std::string& name) {
  if (const Namespace* space = object.name_space()) {
    const auto found = space->attributes.find(name);
    return found == space->attributes.end() ? Value() : found->second;
  }
  if (Loop* loop = object.loop()) {
    if (name != "changed" && name != "cycle") return loop->attribute(name);
    const auto call = name == "cycle" ? call_cycle : call_changed;
    return run.function(
        [object, call](Run& at, Arguments arguments) {
          return call(at, object, std::move(arguments));
        },
        object.depth());
  }
  Value result;
  if (object.text() != nullptr) result = text_method(run, object, name);
  if (object.dict() != nullptr)
    result = find_method(run, object, name, kDictMethods);
  if (is_list(object)) result = find_method(run, object, name, kListMethods);
  if (!result.is_missing()) return result;
  const bool is_private =
      name.size() > 4 && name.starts_with("__") && name.ends_with("__");
  const bool is_other = is_listed(others_of(object), name);
  if (is_private || is_other || object.function() != nullptr) {
    fault(
        "the attribute '{}' of '{}' is not supported", name, type_name(object));
  }
  return {};
}

void add_globals(Run& run) {
  const auto add = [&](const char* name, Value (*call)(Run&, Arguments)) {
    run.set_variable(name, run.function(call));
  };
  add("dict", call_dict);
  add("namespace", call_namespace);
  add("range", call_range);
  add("raise_exception", call_raise);
  add("strftime_now", call_strftime);
  for (const char* name : {"cycler", "joiner", "lipsum"}) {
    run.set_variable(
        name, run.function([name](Run&, const Arguments&) -> Value {
          fault("the function '{}' is not supported", name);
        }));
  }
}

}  // namespace moft::jinja
