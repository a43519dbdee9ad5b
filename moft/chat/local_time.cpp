// The date in a template's format.
#include "moft/chat/local_time.h"

#include <array>
#include <ctime>
#include <string_view>

#include <fmt/format.h>

#include "moft/chat/fault.h"

namespace moft::jinja {

namespace {

constexpr std::array<std::string_view, 7> kDays = {
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December"};

std::string pair_of(int number) {
  return fmt::format("{:02d}", number);
}

// The week of the year that begins with `first_day` (0: Sunday, 1: Monday).
int week_of(const std::tm& time, int first_day) {
  const int day = (time.tm_wday - first_day + 7) % 7;
  return (time.tm_yday + 7 - day) / 7;
}

std::string conversion(
    char kind, bool plain, const std::tm& time, std::int64_t microseconds) {
  const auto two = [&](int number) {
    return plain ? std::to_string(number) : pair_of(number);
  };
  const int hour = time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12;
  const std::string_view day = kDays[static_cast<std::size_t>(time.tm_wday)];
  const std::string_view month = kMonths[static_cast<std::size_t>(time.tm_mon)];
  const int year = time.tm_year + 1900;
  switch (kind) {
    case 'd':
      return two(time.tm_mday);
    case 'e':
      return plain ? std::to_string(time.tm_mday)
                   : fmt::format("{:2d}", time.tm_mday);
    case 'm':
      return two(time.tm_mon + 1);
    case 'y':
      return two(year % 100);
    case 'Y':
      return std::to_string(year);
    case 'H':
      return two(time.tm_hour);
    case 'I':
      return two(hour);
    case 'M':
      return two(time.tm_min);
    case 'S':
      return two(time.tm_sec);
    case 'f':
      return fmt::format("{:06d}", microseconds);
    case 'j':
      return plain ? std::to_string(time.tm_yday + 1)
                   : fmt::format("{:03d}", time.tm_yday + 1);
    case 'p':
      return time.tm_hour < 12 ? "AM" : "PM";
    case 'A':
      return std::string(day);
    case 'a':
      return std::string(day.substr(0, 3));
    case 'B':
      return std::string(month);
    case 'b':
    case 'h':
      return std::string(month.substr(0, 3));
    case 'w':
      return std::to_string(time.tm_wday);
    case 'u':
      return std::to_string(time.tm_wday == 0 ? 7 : time.tm_wday);
    case 'U':
      return two(week_of(time, 0));
    case 'W':
      return two(week_of(time, 1));
    case 'n':
      return "\n";
    case 't':
      return "\t";
    case 'z':
    case 'Z':
      return "";  // a local time of Python has no zone
    case '%':
      return "%";
    case 'F':
      return fmt::format(
          "{}-{:02d}-{:02d}", year, time.tm_mon + 1, time.tm_mday);
    case 'D':
    case 'x':
      return fmt::format(
          "{:02d}/{:02d}/{:02d}", time.tm_mon + 1, time.tm_mday, year % 100);
    case 'R':
      return fmt::format("{:02d}:{:02d}", time.tm_hour, time.tm_min);
    case 'T':
    case 'X':
      return fmt::format(
          "{:02d}:{:02d}:{:02d}", time.tm_hour, time.tm_min, time.tm_sec);
    case 'c':
      return fmt::format(
          "{} {} {:2d} {:02d}:{:02d}:{:02d} {}",
          day.substr(0, 3),
          month.substr(0, 3),
          time.tm_mday,
          time.tm_hour,
          time.tm_min,
          time.tm_sec,
          year);
    default:
      fault("strftime_now does not know '%{}'", kind);
  }
}

}  // namespace

MarkedText local_time(
    const MarkedText& format,
    std::chrono::system_clock::time_point now,
    Budget& budget) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto rest = now - std::chrono::system_clock::from_time_t(seconds);
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(rest).count();
  std::tm time{};
  localtime_r(&seconds, &time);
  MarkedText result;
  const std::string& bytes = format.bytes();
  std::size_t shown = 0;
  for (std::size_t at = bytes.find('%'); at != std::string::npos;
       at = bytes.find('%', shown)) {
    result.append(format, shown, at);
    const bool plain = at + 2 < bytes.size() && bytes[at + 1] == '-';
    const std::size_t kind = at + (plain ? 2 : 1);
    if (kind >= bytes.size()) {
      shown = at;
      break;
    }
    const Marks marks = format.marks_at(at);
    result.append(conversion(bytes[kind], plain, time, microseconds), marks);
    budget.copies(bytes.size());
    shown = kind + 1;
  }
  result.append(format, shown, bytes.size());
  return result;
}

}  // namespace moft::jinja
