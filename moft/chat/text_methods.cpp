// One table of methods.
#include "moft/chat/text_methods.h"

#include <algorithm>

#include "moft/chat/formatting.h"
#include "moft/chat/text_cases.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

template <MarkedText (*kFunction)(const MarkedText&)>
Value call_case(Run& run, const Value& self, const Bound&) {
  run.budget().copies(4 * self.text()->size());
  return run.text(kFunction(*self.text()));
}

template <Side kSide>
Value call_strip(Run& run, const Value& self, const Bound& bound) {
  const std::string* set = bound.is_set(0) ? &bound.text(0).bytes() : nullptr;
  run.budget().copies(self.text()->size());
  return run.text(strip(*self.text(), set, kSide));
}

template <Side kSide>
Value call_pad(Run& run, const Value& self, const Bound& bound) {
  MarkedText fill(" ");
  if (bound.has(1)) {
    if (bound.text(1).length() != 1)
      fault("'{}' fills with one character", bound.name());
    fill = inserted_in(self.is_safe(), bound[1], run.budget());
  }
  const std::int64_t width = bound.whole(0, 0);
  return run.text(filled(run, *self.text(), width, fill, kSide));
}

Value call_zfill(Run& run, const Value& self, const Bound& bound) {
  const MarkedText& text = *self.text();
  const bool has_sign =
      text.bytes().starts_with('+') || text.bytes().starts_with('-');
  MarkedText result = text.part(0, has_sign ? 1 : 0);
  result.append(filled(
      run,
      text.part(result.size(), text.size()),
      bound.whole(0, 0) - (has_sign ? 1 : 0),
      MarkedText("0"),
      Side::kLeft));
  return run.text(std::move(result));
}

// The number of places of `part` in a text, at most `limit` unless that is
// negative.
double most_places(
    const MarkedText& text, const MarkedText& part, std::int64_t limit) {
  const auto count = static_cast<double>(count_of(text.bytes(), part.bytes()));
  return limit < 0 ? count : std::min(count, static_cast<double>(limit));
}

Value list_of_pieces(
    Run& run, const Value& self, std::vector<MarkedText> pieces) {
  std::vector<Value> items;
  for (MarkedText& piece : pieces)
    items.push_back(run.text(std::move(piece)).set_safe(self.is_safe()));
  return run.list(std::move(items));
}

// Bytes that each piece of a text needs, a text of its own.
constexpr double kPieceBytes = 160;

// At least the number of white spaces and of line ends.
double most_spaces(const MarkedText& text) {
  const auto may_be = [](char each) {
    const auto byte = static_cast<unsigned char>(each);
    return byte <= ' ' || byte == 0xc2 || (byte >= 0xe1 && byte <= 0xe3);
  };
  const std::string& bytes = text.bytes();
  return static_cast<double>(std::count_if(bytes.begin(), bytes.end(), may_be));
}

template <Side kFrom>
Value call_split(Run& run, const Value& self, const Bound& bound) {
  const MarkedText& text = *self.text();
  const std::int64_t limit = bound.whole(1, -1);
  const std::string* separator = nullptr;
  double places = most_spaces(text);
  if (bound.is_set(0)) {
    separator = &bound.text(0).bytes();
    if (separator->empty())
      fault("'{}' needs a separator that is not empty", bound.name());
    places = most_places(text, bound.text(0), limit);
  } else if (limit >= 0) {
    places = std::min(places, static_cast<double>(limit));
  }
  run.budget().will_need(kPieceBytes * (places + 1));
  run.budget().copies(text.size());
  return list_of_pieces(run, self, split_text(text, separator, limit, kFrom));
}

Value call_splitlines(Run& run, const Value& self, const Bound& bound) {
  const MarkedText& text = *self.text();
  run.budget().will_need(kPieceBytes * (most_spaces(text) + 1));
  run.budget().copies(text.size());
  return list_of_pieces(run, self, split_lines(text, bound.truth(0, false)));
}

template <Side kFrom>
Value call_partition(Run& run, const Value& self, const Bound& bound) {
  const MarkedText& text = *self.text();
  const MarkedText& separator = bound.text(0);
  if (separator.empty())
    fault("'{}' needs a separator that is not empty", bound.name());
  std::vector<MarkedText> parts =
      split_text(text, &separator.bytes(), 1, kFrom);
  if (parts.size() > 1) {
    parts.insert(parts.begin() + 1, separator);
  } else {
    const auto place = kFrom == Side::kLeft ? parts.end() : parts.begin();
    parts.insert(place, 2, MarkedText());
  }
  const Value list = list_of_pieces(run, self, std::move(parts));
  return run.list(list.sequence()->items, Flavour::kTuple);
}

Value call_replace(Run& run, const Value& self, const Bound& bound) {
  plain_text(bound[1], "'replace'");
  return replaced(
      run,
      *self.text(),
      bound.text(0),
      inserted_in(self.is_safe(), bound[1], run.budget()),
      bound.whole(2, -1));
}

// The text between the arguments `start` and `end` of a search; `before` takes
// the number of characters before it.
std::string_view searched(
    Run& run, const Value& self, const Bound& bound, std::int64_t& before) {
  const MarkedText& text = *self.text();
  const std::string_view bytes(text.bytes());
  run.budget().copies(bytes.size());
  before = 0;
  if (!bound.is_set(1) && !bound.is_set(2)) return bytes;
  SliceBounds bounds;
  if (bound.is_set(1)) bounds.start = bound.whole(1, 0);
  if (bound.is_set(2)) bounds.stop = bound.whole(2, 0);
  const SlicePlaces places = places_of(bounds, text.length());
  before = places.first;
  const std::size_t from = text.offset_of(places[0]);
  return bytes.substr(from, text.offset_of(places[places.count]) - from);
}

template <bool kStart>
Value call_affix(Run& run, const Value& self, const Bound& bound) {
  std::int64_t before = 0;
  const std::string_view bytes = searched(run, self, bound, before);
  const auto matches = [&](const Value& part) {
    const std::string& affix = plain_text(part, bound.name()).bytes();
    run.budget().step();
    return kStart ? bytes.starts_with(affix) : bytes.ends_with(affix);
  };
  const Sequence* list = bound[0].sequence();
  if (list != nullptr && list->flavour == Flavour::kTuple)
    return std::any_of(list->items.begin(), list->items.end(), matches);
  return matches(bound[0]);
}

template <Side kFrom, bool kMustFind>
Value call_find(Run& run, const Value& self, const Bound& bound) {
  std::int64_t before = 0;
  const std::string_view bytes = searched(run, self, bound, before);
  const std::string& part = bound.text(0).bytes();
  const std::size_t at =
      kFrom == Side::kRight ? bytes.rfind(part) : bytes.find(part);
  if (at == std::string_view::npos) {
    if (kMustFind) fault("'{}' does not find the text", bound.name());
    return -1;
  }
  const std::size_t count = count_characters(bytes.substr(0, at));
  return before + static_cast<std::int64_t>(count);
}

Value call_count(Run& run, const Value& self, const Bound& bound) {
  std::int64_t before = 0;
  const std::string_view bytes = searched(run, self, bound, before);
  return static_cast<std::int64_t>(count_of(bytes, bound.text(0).bytes()));
}

template <Side kSide>
Value call_remove(Run& run, const Value& self, const Bound& bound) {
  const MarkedText& text = *self.text();
  const std::string& part = bound.text(0).bytes();
  const bool is_left = kSide == Side::kLeft;
  const bool has =
      is_left ? text.bytes().starts_with(part) : text.bytes().ends_with(part);
  const std::size_t size = has ? part.size() : 0;
  return run.text(
      is_left ? text.part(size, text.size())
              : text.part(0, text.size() - size));
}

Value call_join(Run& run, const Value& self, const Bound& bound) {
  need_defined(bound[0]);
  const std::vector<Value> items = items_of(bound[0], run.budget());
  MarkedText result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    plain_text(items[i], "'join'");
    if (i > 0) result.append(*self.text());
    result.append(inserted_in(self.is_safe(), items[i], run.budget()));
    run.budget().will_need(static_cast<double>(result.size()));
    run.budget().copies(self.text()->size());
  }
  return run.text(std::move(result));
}

using TextMethod = Value (*)(Run&, const Value& self, const Bound&);
struct NamedTextMethod {
  Signature signature;
  TextMethod call;
};

constexpr NamedTextMethod kTextMethods[] = {
    {{"capitalize"}, call_case<capitalize>},
    {{"center", 1, {"width", "fillchar"}}, call_pad<Side::kBoth>},
    {{"count", 1, {"sub", "start", "end"}}, call_count},
    {{"endswith", 1, {"suffix", "start", "end"}}, call_affix<false>},
    {{"find", 1, {"sub", "start", "end"}}, call_find<Side::kLeft, false>},
    {{"index", 1, {"sub", "start", "end"}}, call_find<Side::kLeft, true>},
    {{"join", 1, {"iterable"}}, call_join},
    {{"ljust", 1, {"width", "fillchar"}}, call_pad<Side::kRight>},
    {{"lower"}, call_case<lower>},
    {{"lstrip", 0, {"chars"}}, call_strip<Side::kLeft>},
    {{"partition", 1, {"sep"}}, call_partition<Side::kLeft>},
    {{"removeprefix", 1, {"prefix"}}, call_remove<Side::kLeft>},
    {{"removesuffix", 1, {"suffix"}}, call_remove<Side::kRight>},
    {{"replace", 2, {"old", "new", "count"}}, call_replace},
    {{"rfind", 1, {"sub", "start", "end"}}, call_find<Side::kRight, false>},
    {{"rindex", 1, {"sub", "start", "end"}}, call_find<Side::kRight, true>},
    {{"rjust", 1, {"width", "fillchar"}}, call_pad<Side::kLeft>},
    {{"rpartition", 1, {"sep"}}, call_partition<Side::kRight>},
    {{"rsplit", 0, {"sep", "maxsplit"}}, call_split<Side::kRight>},
    {{"rstrip", 0, {"chars"}}, call_strip<Side::kRight>},
    {{"split", 0, {"sep", "maxsplit"}}, call_split<Side::kLeft>},
    {{"splitlines", 0, {"keepends"}}, call_splitlines},
    {{"startswith", 1, {"prefix", "start", "end"}}, call_affix<true>},
    {{"strip", 0, {"chars"}}, call_strip<Side::kBoth>},
    {{"title"}, call_case<title>},
    {{"upper"}, call_case<upper>},
    {{"zfill", 1, {"width"}}, call_zfill},
};

// What Python has and templates were not seen to use.
constexpr std::string_view kOtherOfTexts =
    " casefold encode escape expandtabs format_map isidentifier isnumeric "
    "isprintable istitle maketrans striptags swapcase translate unescape ";

}  // namespace

Value text_method(Run& run, const Value& text, const std::string& name) {
  if (is_listed(kOtherOfTexts, name))
    fault("the attribute '{}' of 'str' is not supported", name);
  if (name == "format") {
    return run.function([text](Run& at, const Arguments& arguments) {
      return brace_format(at, text, arguments);
    });
  }
  if (knows_question(name)) {
    return run.function([text, name](Run& at, Arguments arguments) {
      const Bound none(std::move(arguments), {name});
      at.budget().copies(text.text()->size());
      return Value(answer(*text.text(), name));
    });
  }
  const auto* method = std::find_if(
      std::begin(kTextMethods), std::end(kTextMethods), [&](auto& each) {
        return each.signature.name == name;
      });
  if (method == std::end(kTextMethods)) return {};
  return run.function([text, method](Run& at, Arguments arguments) {
    Value result =
        method->call(at, text, Bound(std::move(arguments), method->signature));
    if (result.text() != nullptr) result.set_safe(text.is_safe());
    return result;
  });
}

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

MarkedText filled(
    Run& run,
    const MarkedText& text,
    std::int64_t width,
    const MarkedText& fill,
    Side side) {
  const auto length = static_cast<std::int64_t>(text.length());
  if (width <= length) return text;
  run.budget().will_need(
      static_cast<double>(width) * static_cast<double>(fill.size()));
  run.budget().steps((width - length) / 8);
  return padded(text, width, fill, side);
}

}  // namespace moft::jinja
