// The text between the places, and the values in them.
#include "moft/chat/formatting.h"

#include <algorithm>
#include <optional>

#include "moft/chat/printing.h"
#include "moft/chat/text_methods.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// How a value is written: [align][0][width][.digits][type].
struct Format {
  char align = '\0';  // < > ^; the default of the type
  bool zeros = false;
  std::int64_t width = 0;
  std::optional<std::int64_t> digits = {};
  char type = '\0';  // s, d, f
};

// The format at text[at]; `at` moves past it.
Format parse_format(
    std::string_view text, std::size_t& at, std::string_view aligns) {
  Format format;
  const auto take = [&](std::string_view any) {
    const bool is_there =
        at < text.size() && any.find(text[at]) != std::string_view::npos;
    return is_there ? text[at++] : '\0';
  };
  const auto take_number = [&] {
    std::int64_t number = 0;
    for (char digit = take("0123456789"); digit != '\0';
         digit = take("0123456789")) {
      number = number * 10 + (digit - '0');
      if (number > 1'000'000'000) fault("the width of a format is too large");
    }
    return number;
  };
  format.align = take(aligns);
  format.zeros = take("0") != '\0';
  format.width = take_number();
  if (take(".") != '\0') format.digits = take_number();
  if (at < text.size()) format.type = text[at++];
  return format;
}

// A value as its format asks; `is_safe`: it goes into a safe text.
MarkedText formatted(
    Run& run, const Value& value, const Format& format, bool is_safe) {
  double real = 0;
  std::int64_t whole = 0;
  const char type = format.type;
  const bool is_number =
      type != 's' && value.number(real) && !(type == '\0' && value.is<bool>());
  MarkedText text;
  if (!is_number || (type == '\0' && !format.digits)) {
    if (type != 's' && type != '\0') {
      need_defined(value);
      fault(
          "the format '{}' of a '{}' is not supported", type, type_name(value));
    }
    text = inserted_in(is_safe, value, run.budget());
    if (format.digits) text = slice(text, {std::nullopt, format.digits, 1});
  } else if (type == 'd' && value.integer(whole) && !format.digits) {
    text = MarkedText(std::to_string(whole), value.marks());
  } else if (type == 'f') {
    const std::int64_t digits = format.digits.value_or(6);
    if (digits > 300) fault("a format of over 300 digits is not supported");
    text = MarkedText(fmt::format("{:.{}f}", real, digits), value.marks());
  } else {
    const std::string name = type == '\0' ? "." : std::string(1, type);
    fault("the format '{}' of a '{}' is not supported", name, type_name(value));
  }
  if (is_number && format.zeros && format.align == '\0') {
    const std::size_t sign = text.bytes().starts_with('-') ? 1 : 0;
    MarkedText result = text.part(0, sign);
    result.append(filled(
        run,
        text.part(sign, text.size()),
        format.width - static_cast<std::int64_t>(sign),
        MarkedText("0"),
        Side::kLeft));
    return result;
  }
  const bool to_right =
      format.align == '>' || (format.align == '\0' && is_number);
  if (format.align == '^') fault("the format '^' is not supported");
  return filled(
      run,
      text,
      format.width,
      MarkedText(" "),
      to_right ? Side::kLeft : Side::kRight);
}

const Value& brace_value(
    const std::string& field, const Arguments& arguments, std::size_t& next) {
  const auto number = parse_integer(field);
  if (field.empty() || number) {
    const auto place = number ? static_cast<std::size_t>(*number) : next++;
    if (place >= arguments.positional.size())
      fault("a format has too few values");
    return arguments.positional[place];
  }
  for (const auto& [name, value] : arguments.named)
    if (name == field) return value;
  fault("the format {} is not given or not supported", quote_text(field));
}

}  // namespace

MarkedText escaped(const MarkedText& text) {
  static constexpr std::string_view kSigns = "&<>'\"";
  static constexpr const char* kEntities[] = {
      "&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  MarkedText result;
  std::size_t shown = 0;
  const std::string& bytes = text.bytes();
  for (std::size_t at = bytes.find_first_of(kSigns); at != std::string::npos;
       at = bytes.find_first_of(kSigns, shown)) {
    result.append(text, shown, at);
    result.append(kEntities[kSigns.find(bytes[at])], text.marks_at(at));
    shown = at + 1;
  }
  result.append(text, shown, bytes.size());
  return result;
}

MarkedText inserted_in(bool is_safe, const Value& value, Budget& budget) {
  MarkedText text = printed(value, budget);
  if (!is_safe || value.is_safe()) return text;
  budget.will_need(6 * static_cast<double>(text.size()));
  budget.copies(text.size());
  return escaped(text);
}

Value percent_format(Run& run, const Value& format, const Value& values) {
  const MarkedText& text = *format.text();
  const std::string& bytes = text.bytes();
  const Sequence* list = values.sequence();
  std::vector<Value> items = {values};
  if (list != nullptr && list->flavour == Flavour::kTuple) items = list->items;
  MarkedText result;
  std::size_t shown = 0;
  std::size_t used = 0;
  for (std::size_t at = bytes.find('%'); at != std::string::npos;
       at = bytes.find('%', shown)) {
    result.append(text, shown, at);
    shown = at + 2;
    if (shown > bytes.size()) fault("a '%' of a format has no conversion");
    if (bytes[at + 1] == '%') {
      result.append(text, at, at + 1);
      continue;
    }
    if (used == items.size()) fault("a format has too few values");
    Format place = parse_format(bytes, --shown, "-");
    if (place.type == '\0' ||
        std::string_view("sdf").find(place.type) == std::string_view::npos)
      fault("the format {} is not supported", quote_text(bytes.substr(at)));
    // % writes texts at the right, too.
    const bool with_zeros = place.zeros && place.type != 's';
    place.align = place.align == '-' ? '<' : with_zeros ? '\0' : '>';
    result.append(formatted(run, items[used++], place, format.is_safe()));
    run.budget().will_need(static_cast<double>(result.size()));
  }
  const bool may_stay = values.is_undefined() || values.dict() != nullptr ||
                        (list != nullptr && list->flavour != Flavour::kTuple);
  if (used < items.size() && !may_stay) fault("a format has too many values");
  result.append(text, shown, bytes.size());
  return run.text(std::move(result)).set_safe(format.is_safe());
}

Value brace_format(Run& run, const Value& format, const Arguments& arguments) {
  const MarkedText& text = *format.text();
  const std::string& bytes = text.bytes();
  MarkedText result;
  std::size_t shown = 0;
  std::size_t next = 0;
  for (std::size_t at = bytes.find_first_of("{}"); at != std::string::npos;
       at = bytes.find_first_of("{}", shown)) {
    result.append(text, shown, at);
    if (at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) {
      result.append(text, at, at + 1);
      shown = at + 2;
      continue;
    }
    const std::size_t end = bytes.find('}', at);
    if (bytes[at] == '}' || end == std::string::npos)
      fault("a brace of a format is not closed");
    const std::string place = bytes.substr(at + 1, end - at - 1);
    const std::size_t colon = std::min(place.find(':'), place.size());
    const Value& value = brace_value(place.substr(0, colon), arguments, next);
    std::size_t behind = std::min(colon + 1, place.size());
    const Format spec = parse_format(place, behind, "<>^");
    const bool is_text = value.text() != nullptr;
    double number = 0;
    const bool fits = is_text ? !spec.zeros
                              : value.number(number) && !value.is<bool>() &&
                                    spec.type != 's' &&
                                    !(spec.zeros && spec.align != '\0');
    if (colon < place.size() && (!fits || behind < place.size()))
      fault("the format {} is not supported", quote_text(place));
    result.append(formatted(run, value, spec, format.is_safe()));
    run.budget().will_need(static_cast<double>(result.size()));
    shown = end + 1;
  }
  result.append(text, shown, bytes.size());
  return run.text(std::move(result)).set_safe(format.is_safe());
}

}  // namespace moft::jinja
