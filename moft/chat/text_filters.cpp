// Filters on texts, and of values to texts.
#include "moft/chat/text_filters.h"

#include <algorithm>

#include "moft/chat/arguments.h"
#include "moft/chat/fault.h"
#include "moft/chat/json_values.h"
#include "moft/chat/loop.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_cases.h"
#include "moft/chat/text_format.h"
#include "moft/chat/text_functions.h"
#include "moft/chat/text_methods.h"

namespace moft::jinja {

namespace {

// text.name(arguments) of the filtered value as text.
Value by_method(Run& run, const char* name, Arguments arguments) {
  const Value text = as_text(run, arguments.positional.at(0));
  arguments.positional.erase(arguments.positional.begin());
  return run.call(text_method(run, text, name), std::move(arguments));
}

Value filter_trim(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "trim", {"value", "chars"}, 1);
  const Value text = as_text(run, bound[0]);
  return run.text(
      strip(*text.text(), bound.optional_text(1), Side::kBoth),
      text.is_markup());
}

Value filter_upper(Run& run, Arguments arguments) {
  return by_method(run, "upper", std::move(arguments));
}
Value filter_lower(Run& run, Arguments arguments) {
  return by_method(run, "lower", std::move(arguments));
}
Value filter_capitalize(Run& run, Arguments arguments) {
  return by_method(run, "capitalize", std::move(arguments));
}

Value filter_title(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "title", {"s"}, 1);
  const Value text = as_text(run, bound[0]);
  run.budget().copies(4 * text.text()->size());
  return run.text(title_words(*text.text()));
}

Value filter_center(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "center", {"value", "width"}, 1);
  Arguments call;
  call.positional = {bound[0], Value(bound.whole(1, 80))};
  return by_method(run, "center", std::move(call));
}

Value filter_replace(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "replace", {"s", "old", "new", "count"}, 3);
  Arguments call;
  for (std::size_t i = 0; i < 3; ++i)
    call.positional.push_back(run.text(printed(bound[i], run.budget())));
  call.positional.emplace_back(bound.is_set(3) ? bound.whole(3, -1) : -1);
  return by_method(run, "replace", std::move(call));
}

Value filter_string(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "string", {"value"}, 1);
  return as_text(run, bound[0]);
}

Value filter_safe(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "safe", {"value"}, 1);
  return Value(as_text(run, bound[0])).set_markup();
}

Value escape_value(Run& run, const Value& value, bool again) {
  if (value.is_markup() && !again) return value;
  const MarkedText text = printed(value, run.budget());
  run.budget().copies(text.size());
  return run.text(escaped(text), true);
}

Value filter_escape(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "escape", {"s"}, 1);
  return escape_value(run, bound[0], false);
}
Value filter_forceescape(Run& run, Arguments arguments) {
  const Bound bound(std::move(arguments), "forceescape", {"value"}, 1);
  return escape_value(run, bound[0], true);
}

Value filter_join(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "join", {"value", "d", "attribute"}, 1);
  const Value separator = bound.has(1)
                              ? run.text(printed(bound[1], run.budget()))
                              : Value::constant("");
  if (!bound.is_set(2)) return join_values(run, separator, bound[0]);
  std::vector<Value> items = items_of(bound[0], run.budget());
  for (Value& item : items)
    item = path_of(run, item, bound[2]);
  return join_values(run, separator, run.list(std::move(items)));
}

Value filter_format(Run& run, Arguments arguments) {
  auto& positional = arguments.positional;
  const Value format = as_text(run, positional.at(0));
  const bool by_name = !arguments.named.empty();
  if (by_name && positional.size() > 1)
    fault("'format' takes values by place or by name, not both");
  if (!by_name) {
    positional.erase(positional.begin());
    return percent_format(
        run, format, run.list(std::move(positional), Flavour::kTuple));
  }
  auto values = std::make_shared<Dict>(run.budget());
  for (auto& [name, value] : arguments.named)
    values->put(Value::constant(name), value);
  return percent_format(
      run, format, Value(std::shared_ptr<const Dict>(std::move(values))));
}

Value filter_indent(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments), "indent", {"s", "width", "first", "blank"}, 1);
  const MarkedText& text = bound.text(0);
  MarkedText margin;
  if (bound.has(1) && bound[1].text() != nullptr) {
    margin = *bound[1].text();
  } else {
    const std::int64_t width = std::max<std::int64_t>(bound.whole(1, 4), 0);
    run.budget().will_need(static_cast<double>(width));
    margin.append(std::string(static_cast<std::size_t>(width), ' '), kOwnText);
  }
  MarkedText whole = text;
  whole.append("\n", kOwnText);
  const std::vector<MarkedText> lines = split_lines(whole, false);
  run.budget().will_need(
      static_cast<double>(lines.size()) * static_cast<double>(margin.size()) +
      static_cast<double>(text.size()));
  run.budget().copies(text.size() + lines.size() * margin.size());
  MarkedText result;
  if (bound.truth(2, false)) result.append(margin);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) result.append("\n", kOwnText);
    if (i > 0 && (bound.truth(3, false) || !lines[i].empty()))
      result.append(margin);
    result.append(lines[i]);
  }
  return run.text(std::move(result), bound[0].is_markup());
}

// The separators of json.dumps: a list or tuple of two texts.
void set_separators(const Value& value, JsonStyle& style) {
  const Sequence* pair = value.sequence();
  if (pair == nullptr || pair->items.size() != 2 ||
      pair->items[0].text() == nullptr || pair->items[1].text() == nullptr)
    fault("'tojson' needs two texts as separators");
  style.item_separator = *pair->items[0].text();
  style.key_separator = *pair->items[1].text();
}

Value filter_tojson(Run& run, Arguments arguments) {
  const Bound bound(
      std::move(arguments),
      "tojson",
      {"x", "ensure_ascii", "indent", "separators", "sort_keys"},
      1);
  JsonStyle style;
  style.ascii = bound.truth(1, false);
  if (bound.is_set(2)) {
    style.item_separator = MarkedText(",");
    if (bound[2].text() != nullptr) {
      style.indent = *bound[2].text();
    } else {
      const auto width = std::max<std::int64_t>(bound.whole(2, 0), 0);
      run.budget().will_need(static_cast<double>(width) * 600);
      style.indent =
          MarkedText(std::string(static_cast<std::size_t>(width), ' '));
    }
  }
  if (bound.is_set(3)) set_separators(bound[3], style);
  style.sort_keys = bound.truth(4, false);
  return run.text(to_json(bound[0], style, run.budget()));
}

constexpr NamedFilter kTextFilters[] = {
    {"capitalize", filter_capitalize},
    {"center", filter_center},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"forceescape", filter_forceescape},
    {"format", filter_format},
    {"indent", filter_indent},
    {"join", filter_join},
    {"lower", filter_lower},
    {"replace", filter_replace},
    {"safe", filter_safe},
    {"string", filter_string},
    {"title", filter_title},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"upper", filter_upper},
};

}  // namespace

std::span<const NamedFilter> text_filters() {
  return kTextFilters;
}

}  // namespace moft::jinja
