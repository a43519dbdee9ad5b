// Log lines on standard error, durations as text.
#include "moft/core/log.h"

#include <atomic>
#include <cmath>
#include <mutex>

#include <unistd.h>

#include "moft/core/log_muting.h"

namespace moft {
namespace {

std::atomic<bool> is_mute{false};

}  // namespace

void mute_log(bool mute) {
  is_mute = mute;
}

void write_log_line(std::string_view line) {
  if (is_mute) return;
  static std::mutex mutex;
  std::string whole(line);
  whole += '\n';
  std::string_view rest = whole;
  std::lock_guard lock(mutex);
  while (!rest.empty()) {
    ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    // A closed standard error must not stop the work.
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

LogLine& LogLine::add(std::string_view key, std::string_view value) {
  if (!text_.empty()) text_ += ' ';
  text_ += fmt::format("{}={}", key, value);
  return *this;
}

LogLine& LogLine::add(std::string_view key, std::int64_t value) {
  return add(key, std::string_view(std::to_string(value)));
}

LogLine& LogLine::add(std::string_view key, double value, int digits) {
  // Whole numbers with more digits than asked for keep them: 1234, not 1.23e3.
  bool large =
      std::abs(value) >= std::pow(10.0, digits) && std::abs(value) < 1e9;
  std::string text = large ? fmt::format("{:.0f}", value)
                           : fmt::format("{:.{}g}", value, digits);
  return add(key, std::string_view(text));
}

void LogLine::print() const {
  log_info("{}", text_);
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, 1e12)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace moft
