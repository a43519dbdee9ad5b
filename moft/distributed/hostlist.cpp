// Slurm's short forms for lists, expanded.
#include "moft/distributed/hostlist.h"

#include <optional>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr std::size_t kMaxEntries = 65'536;
// A number in a range; more digits are not a host's.
constexpr std::size_t kMaxDigits = 9;

[[noreturn]] void refuse(
    std::string_view list, const std::string& place, const char* found) {
  throw_caller_error(
      "{}: {} has {}; Slurm's form is node[01-03,7],x",
      place,
      quote_text(list),
      found);
}

void check_size(
    std::size_t size, std::string_view list, const std::string& place) {
  if (size > kMaxEntries) refuse(list, place, "more than 65536 entries");
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  if (text.empty() || text.size() > kMaxDigits) return std::nullopt;
  if (text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  return parse_integer(text);
}

// The pieces between commas outside brackets.
std::vector<std::string> split_outside_brackets(
    std::string_view list, const std::string& place) {
  std::vector<std::string> pieces(1);
  bool inside = false;
  for (const char c : list) {
    if (c == '[' && inside) refuse(list, place, "a bracket inside another");
    if (c == ']' && !inside) refuse(list, place, "a ']' without its '['");
    if (c == '[' || c == ']') inside = c == '[';
    if (c == ',' && !inside) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  if (inside) refuse(list, place, "a '[' without its ']'");
  return pieces;
}

// "01-03,7" to 01, 02, 03, 7.
std::vector<std::string> expand_bracket(
    std::string_view ranges, std::string_view list, const std::string& place) {
  std::vector<std::string> numbers;
  for (const std::string& range : split(ranges, ',')) {
    const std::size_t dash = range.find('-');
    const std::string first = range.substr(0, dash);
    const std::string last =
        dash == range.npos ? first : range.substr(dash + 1);
    const auto from = parse_number(first);
    const auto to = parse_number(last);
    if (!from || !to) refuse(list, place, "a range that is not two numbers");
    if (*to < *from) refuse(list, place, "a range that runs backwards");
    check_size(
        numbers.size() + static_cast<std::size_t>(*to - *from) + 1,
        list,
        place);
    for (std::int64_t i = *from; i <= *to; ++i)
      numbers.push_back(fmt::format("{:0{}}", i, first.size()));
  }
  return numbers;
}

// One name with its brackets: "r[1-2]n[1-2]" to r1n1, r1n2, r2n1, r2n2.
std::vector<std::string> expand_name(
    std::string_view name, std::string_view list, const std::string& place) {
  std::vector<std::string> hosts(1);
  while (!name.empty()) {
    const std::size_t open = name.find('[');
    for (std::string& host : hosts)
      host += name.substr(0, open);
    if (open == name.npos) break;
    const std::size_t close = name.find(']', open);
    const auto numbers =
        expand_bracket(name.substr(open + 1, close - open - 1), list, place);
    check_size(hosts.size() * numbers.size(), list, place);
    std::vector<std::string> longer;
    for (const std::string& host : hosts) {
      for (const std::string& number : numbers)
        longer.push_back(host + number);
    }
    hosts = std::move(longer);
    name.remove_prefix(close + 1);
  }
  return hosts;
}

}  // namespace

std::vector<std::string> expand_hosts(
    std::string_view list, const std::string& place) {
  std::vector<std::string> hosts;
  for (const std::string& name : split_outside_brackets(list, place)) {
    if (name.empty()) refuse(list, place, "an empty name");
    for (std::string& host : expand_name(name, list, place))
      hosts.push_back(std::move(host));
    check_size(hosts.size(), list, place);
  }
  return hosts;
}

std::vector<std::int64_t> expand_counts(
    std::string_view list, const std::string& place) {
  const auto refuse_entry = [&](const std::string& entry) {
    throw_caller_error(
        "{}: {} has the entry {}; Slurm's form is 2(x3),1",
        place,
        quote_text(list),
        quote_text(entry));
  };
  std::vector<std::int64_t> counts;
  for (const std::string& entry : split(list, ',')) {
    const std::size_t open = entry.find("(x");
    const auto count = parse_number(entry.substr(0, open));
    std::optional<std::int64_t> times = 1;
    if (open != entry.npos) {
      const bool closed = entry.back() == ')';
      times =
          closed ? parse_number(entry.substr(open + 2, entry.size() - open - 3))
                 : std::nullopt;
    }
    if (!count || !times) refuse_entry(entry);
    check_size(counts.size() + static_cast<std::size_t>(*times), list, place);
    counts.insert(counts.end(), static_cast<std::size_t>(*times), *count);
  }
  return counts;
}

}  // namespace moft
