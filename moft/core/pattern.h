// A regular expression: PCRE2's syntax, UTF-8 and Unicode classes, compiled to
// machine code, with PCRE2's match limit against patterns that explode.
//
// Thread safety: a Pattern is immutable; a PatternMatcher belongs to one
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace moft {

struct PatternOptions {
  bool ignore_case = false;
  // ^ and $ match at line ends ("\n") too.
  bool multiline = false;
  // Subjects are known to be UTF-8 and are not checked. Otherwise bytes that
  // are not UTF-8 match nothing.
  bool utf8_subjects = false;
};

class Pattern {
 public:
  // `place` opens messages ("conditioning.pattern"). Throws CallerError, with
  // the byte, if the text is not a regular expression.
  Pattern(std::string text, std::string place, PatternOptions options = {});
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  const std::string& text() const;
  // Whether the pattern is found anywhere in `subject` (^ and $ hold its
  // ends). Throws CallerError when matching hits PCRE2's limits.
  bool found_in(std::string_view subject) const;

 private:
  friend class PatternMatcher;
  struct Code;
  std::unique_ptr<Code> code_;
};

struct PatternMatch {
  std::size_t begin;
  std::size_t end;
};

// Many searches with one pattern, without allocating for each.
class PatternMatcher {
 public:
  // `pattern` must outlive this.
  explicit PatternMatcher(const Pattern& pattern);
  ~PatternMatcher();
  PatternMatcher(const PatternMatcher&) = delete;
  PatternMatcher& operator=(const PatternMatcher&) = delete;

  // The first match at or after `from`, which is on a code point. Throws
  // WorldError when the pattern explodes on this text.
  std::optional<PatternMatch> find(std::string_view text, std::size_t from);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace moft
