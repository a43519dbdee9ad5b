// What moft says on standard error while it works.
//
// Results go to standard output, everything here to standard error, one whole
// line per call. Numbers for machines are in metrics.jsonl; a progress line
// uses the same keys:
//
//   step=12/40 reward=0.531 kl=4.21 tokens_per_second=812
//
// Thread safety: any thread; lines never mix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace moft {

// Writes `line` and a line end, in one write.
void write_log_line(std::string_view line);

template <typename... Args>
void log_warning(fmt::format_string<Args...> message, Args&&... args) {
  write_log_line(
      "warning: " + fmt::format(message, std::forward<Args>(args)...));
}

template <typename... Args>
void log_info(fmt::format_string<Args...> message, Args&&... args) {
  write_log_line(fmt::format(message, std::forward<Args>(args)...));
}

// One progress line, built key by key in the order of the calls.
class LogLine {
 public:
  LogLine& add(std::string_view key, std::string_view value);
  LogLine& add(std::string_view key, std::int64_t value);
  // Rounded to `digits` significant digits: 0.53, 4.2, 812, 1.3e-05.
  LogLine& add(std::string_view key, double value, int digits = 3);

  const std::string& text() const { return text_; }
  // As log_info.
  void print() const;

 private:
  std::string text_;
};

// "1 h 02 min", "3 min 05 s", "12 s": for time left. Negative or non-finite
// gives "?".
std::string format_duration(double seconds);

}  // namespace moft
