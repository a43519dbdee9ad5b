// Cuts an answer into sentences.
#include "moft/rewards/sentences.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "moft/core/text.h"

namespace moft {
namespace {

constexpr std::array<std::string_view, 24> kAbbreviations = {
    "Mr", "Mrs", "Ms",  "Dr",  "Prof", "St",  "Jr",  "Sr",
    "vs", "etc", "e.g", "i.e", "cf",   "No",  "Inc", "Ltd",
    "Co", "Fig", "Gen", "Sen", "Rep",  "Gov", "al",  "approx"};

constexpr std::array<std::string_view, 6> kWideEnds = {
    "\u3002", "\uff01", "\uff1f", "\uff0e", "\uff61", "\u2026"};

constexpr std::array<std::string_view, 9> kClosing = {
    "\"", "'", ")", "]", "}", "\u201d", "\u2019", "\u300d", "\u300f"};

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

// The bytes at `at` that are one of `marks`, or 0.
template <std::size_t N>
std::size_t mark_at(
    std::string_view text,
    std::size_t at,
    const std::array<std::string_view, N>& marks) {
  for (const std::string_view mark : marks)
    if (text.substr(at).starts_with(mark)) return mark.size();
  return 0;
}

// Whether the full stop at `at` belongs to the word before it.
bool abbreviates(std::string_view text, std::size_t at) {
  std::size_t first = at;
  while (first > 0 && !is_space(text[first - 1]))
    --first;
  std::string_view word = text.substr(first, at - first);
  while (!word.empty() && (word[0] == '(' || word[0] == '"'))
    word.remove_prefix(1);
  if (word.size() == 1 && std::isupper(static_cast<unsigned char>(word[0])))
    return true;
  return std::ranges::find(kAbbreviations, word) != kAbbreviations.end();
}

class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text) {}

  std::vector<std::string> cut() {
    std::size_t at = 0;
    while (at < text_.size()) {
      if (text_[at] == '\n' || text_[at] == '\r') {
        end_at(++at);
        continue;
      }
      const std::size_t wide = mark_at(text_, at, kWideEnds);
      const bool narrow =
          text_[at] == '.' || text_[at] == '!' || text_[at] == '?';
      if (wide == 0 && !narrow) {
        ++at;
        continue;
      }
      const std::size_t mark = at;
      at = after_marks(at);
      const bool wide_end = wide > 0 && text_.substr(mark, wide) != "\u2026";
      if (wide_end || ends(mark, at)) end_at(at);
    }
    end_at(text_.size());
    return std::move(sentences_);
  }

 private:
  // Behind further marks ("?!") and what closes here.
  std::size_t after_marks(std::size_t at) const {
    while (at < text_.size()) {
      const std::size_t wide = mark_at(text_, at, kWideEnds);
      const std::size_t closing = mark_at(text_, at, kClosing);
      if (wide > 0) {
        at += wide;
      } else if (text_[at] == '.' || text_[at] == '!' || text_[at] == '?') {
        ++at;
      } else if (closing > 0) {
        at += closing;
      } else {
        break;
      }
    }
    return at;
  }

  bool ends(std::size_t mark, std::size_t after) const {
    if (after == text_.size()) return true;
    if (!is_space(text_[after])) return false;
    if (text_[mark] != '.') return true;
    std::size_t next = after;
    while (next < text_.size() && is_space(text_[next]))
      ++next;
    if (next < text_.size() &&
        std::islower(static_cast<unsigned char>(text_[next])))
      return false;
    return after != mark + 1 || !abbreviates(text_, mark);
  }

  void end_at(std::size_t end) {
    const auto sentence = trimmed(text_.substr(first_, end - first_));
    if (!sentence.empty()) sentences_.emplace_back(sentence);
    first_ = end;
  }

  std::string_view text_;
  std::size_t first_ = 0;
  std::vector<std::string> sentences_;
};

}  // namespace

std::vector<std::string> split_sentences(std::string_view text) {
  return Cutter(text).cut();
}

}  // namespace moft
