// Arithmetic of 64 bits by Python's rules.
#include "moft/chat/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "moft/chat/characters.h"
#include "moft/chat/fault.h"

namespace moft::jinja {

namespace {

using Whole = std::int64_t;

[[noreturn]] void too_large() {
  fault("a whole number of the template does not fit into 64 bits");
}

[[noreturn]] void by_zero() {
  fault("division by zero");
}

Whole floor_divide(Whole a, Whole b) {
  if (b == 0) by_zero();
  if (a == std::numeric_limits<Whole>::min() && b == -1) too_large();
  const Whole quotient = a / b;
  return a % b != 0 && ((a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

Whole modulo(Whole a, Whole b) {
  if (b == 0) by_zero();
  if (b == -1) return 0;
  const Whole rest = a % b;
  return rest != 0 && ((rest < 0) != (b < 0)) ? rest + b : rest;
}

double float_modulo(double a, double b) {
  if (b == 0) by_zero();
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double float_floor_divide(double a, double b) {
  const double rest = float_modulo(a, b);
  const double quotient = (a - rest) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

Whole whole_power(Whole base, Whole exponent) {
  Whole result = 1;
  for (Whole factor = base; exponent > 0;) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, factor, &result))
      too_large();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(factor, factor, &factor)) {
      // Only 0, 1 and -1 have such powers, and their squares do not overflow.
      too_large();
    }
  }
  return result;
}

double float_power(double a, double b) {
  if (a == 0 && b < 0) by_zero();
  if (a < 0 && std::isfinite(b) && b != std::floor(b))
    fault("the template computes a complex number");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b))
    fault("a power is too large");
  return result;
}

Value whole_operation(Whole a, Whole b, std::string_view op) {
  Whole result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (op == "//") {
    result = floor_divide(a, b);
  } else if (op == "%") {
    result = modulo(a, b);
  } else if (op == "/") {
    if (b == 0) by_zero();
    return static_cast<double>(
        static_cast<long double>(a) / static_cast<long double>(b));
  } else {
    if (b < 0) return float_power(static_cast<double>(a), double(b));
    result = whole_power(a, b);
  }
  if (overflow) too_large();
  return result;
}

Value float_operation(double a, double b, std::string_view op) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "//") return float_floor_divide(a, b);
  if (op == "%") return float_modulo(a, b);
  if (op == "**") return float_power(a, b);
  if (b == 0) by_zero();
  return a / b;
}

std::string_view without_space(std::string_view text) {
  text = text.substr(0, end_without_space(text));
  return text.substr(skip_space(text, 0));
}

// Digits with single underscores between them removed, or nothing.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      result += text[i];
      continue;
    }
    const bool between =
        i > 0 && i + 1 < text.size() && text[i - 1] != '_' &&
        std::isalnum(static_cast<unsigned char>(text[i - 1])) &&
        std::isalnum(static_cast<unsigned char>(text[i + 1]));
    if (!between) return std::nullopt;
  }
  return result;
}

// Takes "0x" and its like off; 0 stands for the base that they name.
bool strip_prefix(std::string& digits, int& base) {
  static constexpr std::pair<char, int> kPrefixes[] = {
      {'x', 16}, {'o', 8}, {'b', 2}};
  if (digits.size() > 1 && digits[0] == '0') {
    for (const auto& [letter, prefix_base] : kPrefixes) {
      if ((digits[1] | 0x20) != letter || (base != 0 && base != prefix_base))
        continue;
      digits.erase(0, digits.size() > 2 && digits[2] == '_' ? 3 : 2);
      base = prefix_base;
      return true;
    }
  }
  if (base != 0) return true;
  base = 10;
  const bool zeros = digits.find_first_not_of('0') == std::string::npos;
  return digits.empty() || digits[0] != '0' || zeros;
}

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(
      buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string shortest(buffer, end.ptr);
  const std::size_t e = shortest.find('e');
  const int exponent = std::atoi(shortest.c_str() + e + 1);
  if (exponent < -4 || exponent >= 16) return shortest;
  const auto fixed = std::to_chars(
      buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string text(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::optional<Whole> parse_whole(std::string_view text, int base) {
  text = without_space(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  auto digits = without_underscores(text);
  if (!digits || !strip_prefix(*digits, base) || digits->empty())
    return std::nullopt;
  std::uint64_t size = 0;
  const char* end = digits->data() + digits->size();
  const auto result = std::from_chars(digits->data(), end, size, base);
  if (result.ptr != end || result.ec == std::errc::invalid_argument)
    return std::nullopt;
  const std::uint64_t limit = std::uint64_t{1} << 63;
  const bool fits = size < limit || (negative && size == limit);
  if (result.ec != std::errc() || !fits) too_large();
  return static_cast<Whole>(negative ? 0 - size : size);
}

std::optional<double> parse_float(std::string_view text) {
  const auto digits = without_underscores(without_space(text));
  if (!digits || digits->empty()) return std::nullopt;
  std::string lower = *digits;
  for (char& letter : lower)
    letter =
        static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  const std::size_t start = lower[0] == '-' || lower[0] == '+' ? 1 : 0;
  const std::string_view rest = std::string_view(lower).substr(start);
  const bool named = rest == "inf" || rest == "infinity" || rest == "nan";
  const bool plain =
      !rest.empty() &&
      rest.find_first_not_of("0123456789.e+-") == std::string_view::npos &&
      rest[0] != '+' && rest[0] != '-';
  if (!named && !plain) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(lower.c_str(), &end);
  if (end != lower.c_str() + lower.size()) return std::nullopt;
  return value;
}

Whole whole_part(double value) {
  if (!std::isfinite(value)) fault("{} has no whole part", float_text(value));
  const double part = std::trunc(value);
  if (part < -0x1p63 || part >= 0x1p63) too_large();
  return static_cast<Whole>(part);
}

Value number_operation(const Value& a, const Value& b, std::string_view op) {
  double real_a = 0;
  double real_b = 0;
  if (!a.number(real_a) || !b.number(real_b)) return {};
  Whole whole_a = 0;
  Whole whole_b = 0;
  const bool whole = a.integer(whole_a) && b.integer(whole_b);
  Value result = whole ? whole_operation(whole_a, whole_b, op)
                       : float_operation(real_a, real_b, op);
  return result.set_from_conversation(
      a.from_conversation() || b.from_conversation());
}

Value signed_number(const Value& a, bool negative) {
  need_defined(a);
  Whole whole = 0;
  Value result;
  if (a.integer(whole)) {
    if (negative && __builtin_sub_overflow(Whole{0}, whole, &whole))
      too_large();
    result = whole;
  } else if (const auto* real = a.get<double>()) {
    result = negative ? -*real : *real;
  } else {
    fault("a '{}' has no negative", type_name(a));
  }
  return result.set_from_conversation(a.from_conversation());
}

double rounded(double value, int digits) {
  if (!std::isfinite(value) || digits > 340) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0)
    return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
  const double unit = std::pow(10.0, -digits);
  const double quotient = value / unit;
  double whole = std::round(quotient);
  if (std::fabs(quotient - std::trunc(quotient)) == 0.5)
    whole = 2 * std::round(quotient / 2);
  return whole * unit;
}

}  // namespace moft::jinja
