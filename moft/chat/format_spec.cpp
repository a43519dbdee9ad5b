// Widths, signs and digits.
#include "moft/chat/format_spec.h"

#include <cmath>

#include "moft/chat/fault.h"
#include "moft/chat/numbers.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

constexpr std::int64_t kMaxPrecision = 1000;

bool is_align(char byte) {
  return byte == '<' || byte == '>' || byte == '^' || byte == '=';
}

std::int64_t take_number(std::string_view text, std::size_t& at) {
  const std::size_t start = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9')
    ++at;
  if (at - start > 9) fault("a width of the template is too large");
  return parse_integer(text.substr(start, at - start)).value_or(0);
}

std::string with_commas(std::string digits, std::size_t end) {
  for (std::size_t at = end; at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string number_digits(const Value& value, const FormatSpec& spec) {
  std::int64_t whole = 0;
  double real = 0;
  const bool is_whole = value.integer(whole);
  value.number(real);
  const auto size = static_cast<std::uint64_t>(whole);
  const std::uint64_t magnitude = whole < 0 ? 0 - size : size;
  const std::int64_t precision = spec.precision.value_or(6);
  if (precision > kMaxPrecision)
    fault("a precision of the template is too large");
  std::string digits;
  switch (spec.type) {
    case 'd':
      if (!is_whole) fault("the format 'd' needs a whole number");
      digits = std::to_string(magnitude);
      break;
    case 'x':
    case 'X':
      if (!is_whole) fault("the format 'x' needs a whole number");
      digits = fmt::format("{:x}", magnitude);
      if (spec.type == 'X') digits = fmt::format("{:X}", magnitude);
      if (spec.alternate) digits = std::string("0") + spec.type + digits;
      break;
    case 'f':
    case 'F':
      digits = fmt::format("{:.{}f}", std::fabs(real), precision);
      break;
    case '%':
      digits = fmt::format("{:.{}f}%", std::fabs(real) * 100, precision);
      break;
    case '\0':
      if (spec.precision) fault("a precision needs a type, as in '.2f'");
      digits =
          is_whole ? std::to_string(magnitude) : float_text(std::fabs(real));
      break;
    default:
      fault("the format '{}' is not supported", spec.type);
  }
  if (spec.comma)
    digits = with_commas(
        digits,
        digits.find_first_not_of("0123456789") == std::string::npos
            ? digits.size()
            : digits.find_first_not_of("0123456789"));
  return digits;
}

MarkedText fill_up(
    Run& run, MarkedText text, const FormatSpec& spec, char align) {
  run.budget().will_need(4 * static_cast<double>(spec.width));
  run.budget().steps(spec.width / 8);
  const MarkedText fill(spec.fill);
  const auto length = static_cast<std::int64_t>(text.length());
  if (align != '^' || spec.width <= length) {
    return padded(
        text, spec.width, fill, align == '<' ? Side::kRight : Side::kLeft);
  }
  const std::int64_t left = (spec.width - length) / 2;
  return padded(
      padded(text, length + left, fill, Side::kLeft),
      spec.width,
      fill,
      Side::kRight);
}

MarkedText formatted_number(
    Run& run, const Value& value, const FormatSpec& spec) {
  double real = 0;
  value.number(real);
  const bool negative = std::signbit(real);
  std::string sign = negative ? "-" : "";
  if (!negative && spec.sign != '-') sign = std::string(1, spec.sign);
  const std::string digits = number_digits(value, spec);
  const Marks marks = value.marks();
  if (spec.align != '=')
    return fill_up(
        run,
        MarkedText(sign + digits, marks),
        spec,
        spec.align == '\0' ? '>' : spec.align);
  MarkedText text(sign, marks);
  FormatSpec rest = spec;
  rest.width -= static_cast<std::int64_t>(sign.size());
  text.append(fill_up(run, MarkedText(digits, marks), rest, '>'));
  return text;
}

}  // namespace

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  std::size_t at = 0;
  if (!text.empty()) {
    const std::size_t size = code_point_at(text, 0).length;
    if (size < text.size() && is_align(text[size])) {
      spec.fill = text.substr(0, size);
      spec.align = text[size];
      at = size + 1;
    } else if (is_align(text[0])) {
      spec.align = text[0];
      at = 1;
    }
  }
  const auto take = [&](char byte) {
    if (at >= text.size() || text[at] != byte) return false;
    ++at;
    return true;
  };
  if (take('+')) spec.sign = '+';
  if (take('-')) spec.sign = '-';
  if (take(' ')) spec.sign = ' ';
  spec.alternate = take('#');
  if (take('0') && spec.align == '\0') {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = take_number(text, at);
  spec.comma = take(',');
  if (take('.')) spec.precision = take_number(text, at);
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size())
    fault("the format {} is not supported", quote_text(text));
  return spec;
}

MarkedText formatted(Run& run, const Value& value, const FormatSpec& spec) {
  double number = 0;
  const bool is_text_type = spec.type == 's' || spec.type == '\0';
  const bool is_number =
      value.number(number) && !(value.is<bool>() && is_text_type);
  if (is_number && spec.type != 's') return formatted_number(run, value, spec);
  if (!is_text_type || spec.align == '=') {
    fault("the format '{}' does not write a '{}'", spec.type, type_name(value));
  }
  if (is_number) fault("the format 's' does not write a number");
  MarkedText text = printed(value, run.budget());
  if (spec.precision) {
    SliceBounds bounds;
    bounds.stop = *spec.precision;
    text = slice(text, bounds);
  }
  return fill_up(
      run, std::move(text), spec, spec.align == '\0' ? '<' : spec.align);
}

}  // namespace moft::jinja
