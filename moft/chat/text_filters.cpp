// One table of filters.
#include "moft/chat/text_filters.h"

#include <algorithm>

#include "moft/chat/formatting.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_cases.h"
#include "moft/chat/text_functions.h"
#include "moft/chat/text_methods.h"

namespace moft::jinja {

namespace {

// str(value) of the first argument, which may be of any kind.
MarkedText as_text(Run& run, const Bound& bound) {
  if (bound[0].text() != nullptr) return bound.text(0);
  return printed(bound[0], run.budget());
}

template <MarkedText (*kFunction)(const MarkedText&)>
Value filter_case(Run& run, const Bound& bound) {
  const MarkedText text = as_text(run, bound);
  run.budget().copies(4 * text.size());
  return run.text(kFunction(text)).set_safe(bound[0].is_safe());
}

Value filter_title(Run& run, const Bound& bound) {
  return filter_case<title_words>(run, bound).set_safe(false);
}

Value filter_wordcount(Run& run, const Bound& bound) {
  const MarkedText text = as_text(run, bound);
  run.budget().copies(4 * text.size());
  return static_cast<std::int64_t>(count_words(text));
}

Value filter_center(Run& run, const Bound& bound) {
  const MarkedText text = as_text(run, bound);
  const std::int64_t width = bound.whole(1, 80);
  return run.text(filled(run, text, width, MarkedText(" "), Side::kBoth))
      .set_safe(bound[0].is_safe());
}

Value filter_escape(Run& run, const Bound& bound) {
  if (bound[0].is_safe()) return bound[0];
  return run.text(inserted_in(true, bound[0], run.budget())).set_safe();
}

Value filter_forceescape(Run& run, const Bound& bound) {
  return run
      .text(inserted_in(true, run.text(as_text(run, bound)), run.budget()))
      .set_safe();
}

// An argument of indentation: a text, or a number of blanks.
MarkedText margin_of(
    Run& run, const Bound& bound, std::size_t i, std::int64_t otherwise) {
  if (bound[i].text() != nullptr) return bound.text(i);
  const auto width = std::max<std::int64_t>(bound.whole(i, otherwise), 0);
  run.budget().will_need(static_cast<double>(width));
  return MarkedText(std::string(static_cast<std::size_t>(width), ' '));
}

Value filter_indent(Run& run, const Bound& bound) {
  MarkedText text = bound.text(0);
  text.append("\n", kOwnText);
  const MarkedText margin = margin_of(run, bound, 1, 4);
  run.budget().will_need(
      static_cast<double>(margin.size()) *
      static_cast<double>(count_of(text.bytes(), "\n")));
  MarkedText result;
  bool first = true;
  for (const MarkedText& line : split_lines(text)) {
    if (!first) result.append("\n", kOwnText);
    const bool blank = line.empty() && !bound.truth(3, false);
    if (first ? bound.truth(2, false) : !blank) result.append(margin);
    result.append(line);
    run.budget().copies(margin.size() + line.size());
    run.budget().will_need(static_cast<double>(result.size()));
    first = false;
  }
  return run.text(std::move(result)).set_safe(bound[0].is_safe());
}

Value filter_trim(Run& run, const Bound& bound) {
  const std::string* set = bound.is_set(1) ? &bound.text(1).bytes() : nullptr;
  const MarkedText text = as_text(run, bound);
  run.budget().copies(text.size());
  return run.text(strip(text, set, Side::kBoth)).set_safe(bound[0].is_safe());
}

Value filter_replace(Run& run, const Bound& bound) {
  Budget& budget = run.budget();
  return replaced(
      run,
      as_text(run, bound),
      printed(bound[1], budget),
      printed(bound[2], budget),
      bound.is_set(3) ? bound.whole(3, -1) : -1);
}

Value filter_string(Run& run, const Bound& bound) {
  if (bound[0].text() != nullptr) return bound[0];
  return run.text(printed(bound[0], run.budget()));
}

Value filter_safe(Run& run, const Bound& bound) {
  return filter_string(run, bound).set_safe();
}

Value filter_join(Run& run, const Bound& bound) {
  MarkedText separator;
  if (bound.has(1)) separator = printed(bound[1], run.budget());
  MarkedText result;
  bool first = true;
  for (const Value& item : items_of(bound[0], run.budget())) {
    if (!first) result.append(separator);
    first = false;
    const Value joined = bound.is_set(2) ? path_of(run, item, bound[2]) : item;
    const MarkedText part = printed(joined, run.budget());
    result.append(part);
    run.budget().will_need(static_cast<double>(result.size()));
    run.budget().copies(part.size());
  }
  return run.text(std::move(result));
}

// Bytes other than those of unreserved characters and "/" as %XX.
Value filter_urlencode(Run& run, const Bound& bound) {
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/";
  if (is_list(bound[0]) || bound[0].dict() != nullptr)
    fault("'urlencode' of a '{}' is not supported", type_name(bound[0]));
  const MarkedText text = as_text(run, bound);
  run.budget().will_need(3 * static_cast<double>(text.size()));
  MarkedText result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char byte = text.bytes()[at];
    const bool is_plain = kPlain.find(byte) != std::string_view::npos;
    result.append(
        is_plain ? std::string(1, byte)
                 : fmt::format("%{:02X}", static_cast<unsigned char>(byte)),
        text.marks_at(at));
  }
  return run.text(std::move(result));
}

Value filter_tojson(Run& run, const Bound& bound) {
  JsonStyle style;
  style.ascii = bound.truth(1, false);
  style.sort_keys = bound.truth(4, false);
  if (bound.is_set(2)) {
    style.indent = margin_of(run, bound, 2, 0);
    style.between_items = MarkedText(",");
    // The deepest line of a value that can be written.
    run.budget().will_need(600 * static_cast<double>(style.indent->size()));
  }
  if (bound.is_set(3)) {
    const std::vector<Value> pair = items_of(bound[3], run.budget());
    if (pair.size() != 2) fault("'tojson' needs two separators");
    style.between_items = plain_text(pair[0], "'tojson'");
    style.behind_keys = plain_text(pair[1], "'tojson'");
  }
  return run.text(to_json(bound[0], style, run.budget()));
}

constexpr NamedFilter kTextFilters[] = {
    {{"capitalize", 1, {"s"}}, filter_case<capitalize>},
    {{"center", 1, {"value", "width"}}, filter_center},
    {{"e", 1, {"s"}}, filter_escape},
    {{"escape", 1, {"s"}}, filter_escape},
    {{"forceescape", 1, {"value"}}, filter_forceescape},
    {{"indent", 1, {"s", "width", "first", "blank"}}, filter_indent},
    {{"join", 1, {"value", "d", "attribute"}}, filter_join},
    {{"lower", 1, {"s"}}, filter_case<lower>},
    {{"replace", 3, {"s", "old", "new", "count"}}, filter_replace},
    {{"safe", 1, {"value"}}, filter_safe},
    {{"string", 1, {"value"}}, filter_string},
    {{"title", 1, {"s"}}, filter_title},
    {{"tojson", 1, {"x", "ensure_ascii", "indent", "separators", "sort_keys"}},
     filter_tojson},
    {{"trim", 1, {"value", "chars"}}, filter_trim},
    {{"upper", 1, {"s"}}, filter_case<upper>},
    {{"urlencode", 1, {"value"}}, filter_urlencode},
    {{"wordcount", 1, {"s"}}, filter_wordcount},
};

}  // namespace

std::span<const NamedFilter> text_filters() {
  return kTextFilters;
}

}  // namespace moft::jinja
