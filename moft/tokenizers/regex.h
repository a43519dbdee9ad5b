// A regular expression of a pre-tokeniser, with the meaning that Oniguruma
// (the engine of Hugging Face `tokenizers`) gives it, run by PCRE2's compiler
// to machine code.
//
// Supported is what both engines read alike, plus `\s`, `\S` and `\uXXXX`,
// which are rewritten. Everything else is refused when the pattern is read:
// `\w`, `\b`, `\h` and their opposites, nested classes, `&&`, `\S` in a class.
//
// Thread safety: a Regex is immutable; a RegexMatcher belongs to one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace moft {

class Regex {
 public:
  // `place` names the file in errors. Throws CallerError.
  Regex(std::string_view pattern, std::string_view place);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

 private:
  friend class RegexMatcher;
  struct Code;
  std::unique_ptr<Code> code_;
};

struct Match {
  std::size_t begin;
  std::size_t end;
};

class RegexMatcher {
 public:
  // `regex` must outlive this.
  explicit RegexMatcher(const Regex& regex);
  ~RegexMatcher();
  RegexMatcher(const RegexMatcher&) = delete;
  RegexMatcher& operator=(const RegexMatcher&) = delete;

  // The first match at or after `from`. REQUIRES valid UTF-8 and `from` on a
  // code point. Throws WorldError when the pattern explodes on this text
  // (never with the four pre-tokenisers that moft names).
  std::optional<Match> find(std::string_view text, std::size_t from);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace moft
