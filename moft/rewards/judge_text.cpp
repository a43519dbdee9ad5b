// Quoted texts in the slots of a wording.
#include "moft/rewards/judge_text.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/utf8.h"

namespace moft {
namespace {

bool ends_line(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

std::string quoted_lines(std::string_view text) {
  const std::string valid = replace_invalid_utf8(text);
  std::string quoted = "> ";
  for (std::size_t at = 0; at < valid.size();) {
    const CodePoint point = code_point_at(valid, at);
    const bool pair = valid.compare(at, 2, "\r\n") == 0;
    if (ends_line(point.value)) {
      quoted += "\n> ";
    } else {
      quoted.append(valid, at, point.length);
    }
    at += pair ? 2 : point.length;
  }
  return quoted;
}

std::string fill_slots(
    std::string_view wording, const std::map<std::string, std::string>& texts) {
  std::string filled;
  while (!wording.empty()) {
    const std::size_t open = std::min(wording.find('{'), wording.size());
    filled += wording.substr(0, open);
    wording.remove_prefix(open);
    if (wording.empty()) break;
    const std::size_t close = wording.find('}');
    const auto found =
        close == wording.npos
            ? texts.end()
            : texts.find(std::string(wording.substr(1, close - 1)));
    if (found == texts.end()) {
      filled += wording.front();
      wording.remove_prefix(1);
    } else {
      filled += quoted_lines(found->second);
      wording.remove_prefix(close + 1);
    }
  }
  return filled;
}

void check_slots(
    std::string_view wording,
    const std::vector<std::string>& slots,
    const std::string& place) {
  for (const std::string& name : slots) {
    const std::string slot = "{" + name + "}";
    std::size_t count = 0;
    for (std::size_t at = wording.find(slot); at != wording.npos;
         at = wording.find(slot, at + 1))
      ++count;
    if (count == 1) continue;
    throw_caller_error(
        "{} has the slot {} {} times; write it once", place, slot, count);
  }
}

}  // namespace moft
