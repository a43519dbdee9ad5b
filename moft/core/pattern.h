// A regular expression over short texts (names): PCRE2's syntax, Unicode
// classes, and its match limit against patterns that explode.
//
// Thread safety: immutable after construction.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace moft {

class Pattern {
 public:
  // `place` opens messages ("conditioning.pattern"). Throws CallerError when
  // the text is no regular expression.
  Pattern(std::string text, std::string place);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  const std::string& text() const;
  // Whether the pattern is found anywhere in `subject` (^ and $ hold its
  // ends). Throws CallerError when matching hits PCRE2's limits.
  bool found_in(std::string_view subject) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace moft
