// One value written by a format specification, for % and format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = '\0';  // < > ^ = or none
  char sign = '-';    // + or blank before positive numbers
  bool alternate = false;
  bool comma = false;
  std::int64_t width = 0;
  std::optional<std::int64_t> precision;
  char type = '\0';
};

// The specification of str.format: "[[fill]align][sign][#][0][width][,]
// [.precision][type]". Fault for others.
FormatSpec parse_format_spec(std::string_view text);

// Fault where Python has an error or the type is not supported.
MarkedText formatted(Run& run, const Value& value, const FormatSpec& spec);

}  // namespace moft::jinja
