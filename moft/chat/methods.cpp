// Tables of methods and functions.
#include "moft/chat/methods.h"

#include <algorithm>
#include <ctime>

#include "moft/chat/printing.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// `self` is of the kind that the table is for.
using Method = Value (*)(Run&, const Value& self, const Bound&);
struct NamedMethod {
  Signature signature;
  Method call;
};

template <MarkedText (*kFunction)(const MarkedText&)>
Value call_case(Run& run, const Value& self, const Bound&) {
  run.budget().copies(4 * self.text()->size());
  return run.text(kFunction(*self.text()));
}

template <Side kSide>
Value call_strip(Run& run, const Value& self, const Bound& bound) {
  const std::string* set = bound.is_set(0) ? &bound.text(0).bytes() : nullptr;
  return run.text(strip(*self.text(), set, kSide));
}

// The number of places of `part` in a text, at most `limit` unless that is
// negative.
double most_places(
    const MarkedText& text, const MarkedText& part, std::int64_t limit) {
  const auto count = static_cast<double>(count_of(text, part.bytes()));
  return limit < 0 ? count : std::min(count, static_cast<double>(limit));
}

Value call_split(Run& run, const Value& self, const Bound& bound) {
  if (!bound.is_set(0))
    fault("'split' at white space is not supported; name a separator");
  const MarkedText& separator = bound.text(0);
  if (separator.empty()) fault("'split' needs a separator that is not empty");
  // Each piece costs a text of its own.
  const std::int64_t limit = bound.whole(1, -1);
  run.budget().will_need(
      160 * (most_places(*self.text(), separator, limit) + 1));
  std::vector<Value> items;
  for (MarkedText& piece : split_text(*self.text(), separator.bytes(), limit))
    items.push_back(run.text(std::move(piece)));
  return run.list(std::move(items));
}

Value call_replace(Run& run, const Value& self, const Bound& bound) {
  return replaced(
      run, *self.text(), bound.text(0), bound.text(1), bound.whole(2, -1));
}

Value call_startswith(Run&, const Value& self, const Bound& bound) {
  return self.text()->bytes().starts_with(bound.text(0).bytes());
}

Value call_endswith(Run&, const Value& self, const Bound& bound) {
  return self.text()->bytes().ends_with(bound.text(0).bytes());
}

template <bool kFromRight>
Value call_find(Run& run, const Value& self, const Bound& bound) {
  const std::string& bytes = self.text()->bytes();
  const std::string& part = bound.text(0).bytes();
  run.budget().copies(bytes.size());
  const std::size_t at = kFromRight ? bytes.rfind(part) : bytes.find(part);
  if (at == std::string::npos) return -1;
  const std::string_view before(bytes.data(), at);
  return static_cast<std::int64_t>(count_characters(before));
}

constexpr NamedMethod kTextMethods[] = {
    {{"capitalize"}, call_case<capitalize>},
    {{"endswith", 1, {"suffix"}}, call_endswith},
    {{"find", 1, {"sub"}}, call_find<false>},
    {{"lower"}, call_case<lower>},
    {{"lstrip", 0, {"chars"}}, call_strip<Side::kLeft>},
    {{"replace", 2, {"old", "new", "count"}}, call_replace},
    {{"rfind", 1, {"sub"}}, call_find<true>},
    {{"rstrip", 0, {"chars"}}, call_strip<Side::kRight>},
    {{"split", 0, {"sep", "maxsplit"}}, call_split},
    {{"startswith", 1, {"prefix"}}, call_startswith},
    {{"strip", 0, {"chars"}}, call_strip<Side::kBoth>},
    {{"upper"}, call_case<upper>},
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

constexpr NamedMethod kDictMethods[] = {
    {{"get", 1, {"key", "default"}}, call_get},
    {{"items"}, call_items},
};

// What Python has and templates were not seen to use.
constexpr std::string_view kOtherOfTexts =
    " casefold center count encode escape expandtabs format format_map index "
    "isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric "
    "isprintable isspace istitle isupper join ljust maketrans partition "
    "removeprefix removesuffix rindex rjust rpartition rsplit splitlines "
    "striptags swapcase title translate unescape zfill ";
constexpr std::string_view kOtherOfDicts =
    " clear copy fromkeys keys pop popitem setdefault update values ";
constexpr std::string_view kOtherOfLists =
    " append clear copy count extend index insert pop remove reverse sort ";
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
  if (self.text() != nullptr) plain_text(self, fmt::format("'{}'", name));
  return run.function(
      [self, method](Run& at, Arguments arguments) {
        return method->call(
            at, self, Bound(std::move(arguments), method->signature));
      },
      self.depth());
}

std::string_view others_of(const Value& object) {
  double number = 0;
  if (object.text() != nullptr) return kOtherOfTexts;
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

Value call_namespace(Run& run, Arguments arguments) {
  if (!arguments.positional.empty())
    fault("'namespace' of an object is not supported; give names");
  Namespace space;
  for (auto& [name, value] : arguments.named)
    space.attributes.emplace(name, std::move(value));
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

Value replaced(
    Run& run,
    const MarkedText& text,
    const MarkedText& old,
    const MarkedText& with,
    std::int64_t limit) {
  run.budget().copies(text.size());
  run.budget().will_need(
      static_cast<double>(text.size()) +
      most_places(text, old, limit) * static_cast<double>(with.size()));
  return run.text(replace(text, old, with, limit));
}

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
  if (Loop* loop = object.loop()) return loop->attribute(name);
  Value result;
  if (object.text() != nullptr)
    result = find_method(run, object, name, kTextMethods);
  if (object.dict() != nullptr)
    result = find_method(run, object, name, kDictMethods);
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
  add("namespace", call_namespace);
  add("range", call_range);
  add("raise_exception", call_raise);
  add("strftime_now", call_strftime);
  for (const char* name : {"cycler", "dict", "joiner", "lipsum"}) {
    run.set_variable(
        name, run.function([name](Run&, const Arguments&) -> Value {
          fault("the function '{}' is not supported", name);
        }));
  }
}

}  // namespace moft::jinja
