// Methods of texts: arguments in, marked text out.
#include "moft/chat/text_methods.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "moft/chat/arguments.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_cases.h"
#include "moft/chat/text_format.h"
#include "moft/chat/text_functions.h"

namespace moft::jinja {

namespace {

using Method = Value (*)(Run&, const Value&, const std::string&, Arguments);

Value same_kind(Run& run, const Value& self, MarkedText text) {
  return run.text(std::move(text), self.is_markup());
}

Value pieces_of(Run& run, const Value& self, std::vector<MarkedText> pieces) {
  std::vector<Value> items;
  items.reserve(pieces.size());
  for (MarkedText& piece : pieces)
    items.push_back(same_kind(run, self, std::move(piece)));
  return run.list(std::move(items));
}

// What a method of Markup puts into the text.
MarkedText inserted(const Value& self, const Bound& bound, std::size_t i) {
  const MarkedText& text = bound.text(i);
  return self.is_markup() && !bound[i].is_markup() ? escaped(text) : text;
}

Value call_strip(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"chars"}, 0);
  const Side side = name == "strip"    ? Side::kBoth
                    : name == "lstrip" ? Side::kLeft
                                       : Side::kRight;
  return same_kind(
      run, self, strip(*self.text(), bound.optional_text(0), side));
}

Value call_split(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"sep", "maxsplit"}, 0);
  const auto separator = bound.optional_text(0);
  if (separator && separator->empty())
    fault("'{}' needs a separator that is not empty", name);
  // Each piece costs a text of its own.
  const double most =
      separator ? static_cast<double>(count_of(*self.text(), *separator) + 1)
                : static_cast<double>(self.text()->size()) / 2 + 1;
  const std::int64_t limit = bound.whole(1, -1);
  if (limit < 0) run.budget().will_need(most * 160);
  return pieces_of(
      run, self, split_text(*self.text(), separator, limit, name == "rsplit"));
}

Value call_splitlines(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"keepends"}, 0);
  run.budget().will_need(
      160 * static_cast<double>(count_of(*self.text(), "\n") + 1));
  return pieces_of(run, self, split_lines(*self.text(), bound.truth(0, false)));
}

Value call_partition(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"sep"}, 1);
  if (bound.text(0).empty())
    fault("'{}' needs a separator that is not empty", name);
  std::vector<Value> parts;
  for (MarkedText& part :
       partition(*self.text(), bound.text(0), name == "rpartition"))
    parts.push_back(same_kind(run, self, std::move(part)));
  return run.list(std::move(parts), Flavour::kTuple);
}

Value call_replace(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"old", "new", "count"}, 2);
  const MarkedText with = inserted(self, bound, 1);
  const auto places =
      static_cast<double>(count_of(*self.text(), bound.text(0).bytes()));
  run.budget().copies(self.text()->size());
  run.budget().will_need(
      places * static_cast<double>(with.size()) +
      static_cast<double>(self.text()->size()));
  return same_kind(
      run,
      self,
      replace(*self.text(), bound.text(0), with, bound.whole(2, -1)));
}

// The bytes between the optional bounds (start, end) of a search.
MarkedText searched(const Value& self, const Bound& bound) {
  SliceBounds bounds;
  if (bound.is_set(1)) bounds.start = bound.whole(1, 0);
  if (bound.is_set(2)) bounds.stop = bound.whole(2, 0);
  return bound.has(1) ? slice(*self.text(), bounds) : *self.text();
}

Value call_starts_or_ends(
    Run&, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"prefix", "start", "end"}, 1);
  const MarkedText text = searched(self, bound);
  const bool starts = name == "startswith";
  const auto matches = [&](const Value& part) {
    need_defined(part);
    if (part.text() == nullptr)
      fault("'{}' needs a text, not a '{}'", name, type_name(part));
    const std::string& bytes = part.text()->bytes();
    return starts ? text.bytes().starts_with(bytes)
                  : text.bytes().ends_with(bytes);
  };
  const Sequence* list = bound[0].sequence();
  if (list != nullptr && list->flavour == Flavour::kTuple)
    return std::any_of(list->items.begin(), list->items.end(), matches);
  return matches(bound[0]);
}

Value call_find(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"sub", "start", "end"}, 1);
  const MarkedText text = searched(self, bound);
  const std::string& part = bound.text(0).bytes();
  run.budget().copies(text.size());
  if (name == "count") return static_cast<std::int64_t>(count_of(text, part));
  const bool from_right = name[0] == 'r';
  const std::size_t at =
      from_right ? text.bytes().rfind(part) : text.bytes().find(part);
  if (at == std::string::npos) {
    if (name.ends_with("index")) fault("'{}' does not find the text", name);
    return -1;
  }
  std::int64_t start = 0;
  if (bound.is_set(1)) {
    const SliceBounds bounds{bound.whole(1, 0), std::nullopt, 1};
    start = places_of(bounds, self.text()->length()).first;
  }
  const std::string_view before(text.bytes().data(), at);
  return start + static_cast<std::int64_t>(count_characters(before));
}

Value call_case(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {}, 0);
  const MarkedText& text = *self.text();
  run.budget().copies(4 * text.size());
  if (name == "upper") return same_kind(run, self, upper(text));
  if (name == "lower") return same_kind(run, self, lower(text));
  if (name == "title") return same_kind(run, self, title(text));
  return same_kind(run, self, capitalize(text));
}

Value call_question(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {}, 0);
  run.budget().copies(self.text()->size());
  return answer(*self.text(), name);
}

Value call_join(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"iterable"}, 1);
  need_defined(bound[0]);
  std::vector<Value> items = items_of(bound[0], run.budget());
  for (const Value& item : items) {
    if (item.text() == nullptr)
      fault("'join' needs texts, not a '{}'", type_name(item));
  }
  return join_values(run, self, run.list(std::move(items)));
}

Value call_remove(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"affix"}, 1);
  const MarkedText& text = *self.text();
  const std::string& part = bound.text(0).bytes();
  if (name == "removeprefix") {
    const bool has = text.bytes().starts_with(part);
    return same_kind(run, self, text.part(has ? part.size() : 0, text.size()));
  }
  const bool has = text.bytes().ends_with(part);
  return same_kind(
      run, self, text.part(0, text.size() - (has ? part.size() : 0)));
}

Value call_pad(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"width", "fillchar"}, 1);
  const std::int64_t width = bound.whole(0, 0);
  MarkedText fill = bound.has(1) ? inserted(self, bound, 1) : MarkedText(" ");
  if (bound.has(1) && bound.text(1).length() != 1)
    fault("'{}' fills with one character", name);
  run.budget().will_need(4 * static_cast<double>(width));
  run.budget().steps(std::max<std::int64_t>(width, 0) / 8);
  const Side room = name == "center"  ? Side::kBoth
                    : name == "ljust" ? Side::kRight
                                      : Side::kLeft;
  return same_kind(run, self, padded(*self.text(), width, fill, room));
}

Value call_zfill(
    Run& run, const Value& self, const std::string& name, Arguments arguments) {
  const Bound bound(std::move(arguments), name, {"width"}, 1);
  const MarkedText& text = *self.text();
  const bool has_sign =
      text.bytes().starts_with('+') || text.bytes().starts_with('-');
  const std::int64_t width = bound.whole(0, 0);
  run.budget().will_need(static_cast<double>(width));
  run.budget().steps(std::max<std::int64_t>(width, 0) / 8);
  MarkedText result = text.part(0, has_sign ? 1 : 0);
  const auto missing = width - static_cast<std::int64_t>(text.length());
  if (missing > 0)
    result.append(
        std::string(static_cast<std::size_t>(missing), '0'), kOwnText);
  result.append(text, has_sign ? 1 : 0, text.size());
  return same_kind(run, self, std::move(result));
}

Value call_format(
    Run& run, const Value& self, const std::string&, Arguments arguments) {
  return brace_format(run, self, std::move(arguments));
}

constexpr std::pair<std::string_view, Method> kMethods[] = {
    {"capitalize", call_case},
    {"center", call_pad},
    {"count", call_find},
    {"endswith", call_starts_or_ends},
    {"find", call_find},
    {"format", call_format},
    {"index", call_find},
    {"join", call_join},
    {"ljust", call_pad},
    {"lower", call_case},
    {"lstrip", call_strip},
    {"partition", call_partition},
    {"removeprefix", call_remove},
    {"removesuffix", call_remove},
    {"replace", call_replace},
    {"rfind", call_find},
    {"rindex", call_find},
    {"rjust", call_pad},
    {"rpartition", call_partition},
    {"rsplit", call_split},
    {"rstrip", call_strip},
    {"split", call_split},
    {"splitlines", call_splitlines},
    {"startswith", call_starts_or_ends},
    {"strip", call_strip},
    {"title", call_case},
    {"upper", call_case},
    {"zfill", call_zfill},
};

constexpr std::array<std::string_view, 13> kMissing = {
    "casefold",
    "encode",
    "expandtabs",
    "format_map",
    "isidentifier",
    "isprintable",
    "istitle",
    "maketrans",
    "swapcase",
    "translate",
    "unescape",
    "striptags",
    "escape"};

}  // namespace

Value text_method(Run& run, const Value& text, const std::string& name) {
  Method method = nullptr;
  for (const auto& [known, call] : kMethods)
    if (known == name) method = call;
  if (method == nullptr && knows_question(name)) method = call_question;
  if (method == nullptr) {
    if (std::find(kMissing.begin(), kMissing.end(), name) != kMissing.end())
      fault("the method '{}' of 'str' is not supported", name);
    return {};
  }
  return run.function(name, [text, name, method](Run& at, Arguments arguments) {
    return method(at, text, name, std::move(arguments));
  });
}

Value as_text(Run& run, const Value& value) {
  if (value.text() != nullptr) return value;
  return run.text(printed(value, run.budget()));
}

Value join_values(Run& run, const Value& separator, const Value& values) {
  const bool is_markup = separator.is_markup();
  MarkedText result;
  Cursor cursor(values, run.budget());
  bool first = true;
  for (Value item; cursor.next(item); first = false) {
    if (!first) result.append(*separator.text());
    const MarkedText part = printed(item, run.budget());
    result.append(is_markup && !item.is_markup() ? escaped(part) : part);
    run.budget().will_need(static_cast<double>(result.size()));
    run.budget().copies(part.size());
  }
  return run.text(std::move(result), is_markup);
}

}  // namespace moft::jinja
