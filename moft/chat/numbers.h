// Python's arithmetic and its texts of numbers.
//
// Whole numbers have 64 bits; what Python would go on computing with more
// digits is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "moft/chat/value.h"

namespace moft::jinja {

// repr() of a float: "1.0", "1e+16", "0.1", "nan".
std::string float_text(double value);

// int(text, base) and float(text); nothing for any other text.
std::optional<std::int64_t> parse_whole(std::string_view text, int base = 10);
std::optional<double> parse_float(std::string_view text);

// int(float). Fault beyond 64 bits and for inf and nan.
std::int64_t whole_part(double value);

// a OP b of numbers; Missing when one is none. OP: + - * / // % **
// Fault for a division by zero and whole numbers beyond 64 bits.
Value number_operation(const Value& a, const Value& b, std::string_view op);
// -a and +a.
Value signed_number(const Value& a, bool negative);

// round(value, digits) of a float, halves to even digits.
double rounded(double value, int digits);

}  // namespace moft::jinja
