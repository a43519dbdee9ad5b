// Oniguruma's syntax as far as PCRE2 reads it alike.
#include "moft/tokenizers/regex.h"

#include <fmt/format.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// White_Space; PCRE2's own \s has one code point more (U+180E).
constexpr std::string_view kSpace = R"(\p{Z}\x{9}-\x{d}\x{85})";
constexpr std::size_t kLongestPattern = 10000;  // bytes

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view place)
      : pattern_(pattern), place_(place) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        escape();
      } else if (in_class_) {
        class_character(c);
      } else {
        if (c == '[') open_class();
        out_ += c;
        ++at_;
        if (c == '[' && at_ < pattern_.size() && pattern_[at_] == '^') {
          out_ += pattern_[at_++];
        }
      }
    }
    return out_;
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw_caller_error(
        "{}: the pre-tokenizer's regular expression '{}' uses {}, which moft "
        "does not support; use a model whose pre-tokenizer is that of GPT-2, "
        "SmolLM, Llama 3 or Qwen",
        place_,
        pattern_,
        what);
  }

  void open_class() { in_class_ = true; }

  void class_character(char c) {
    if (c == '[') refuse("a class inside a class");
    if (c == '&' && pattern_.substr(at_).starts_with("&&")) {
      refuse("an intersection of classes (&&)");
    }
    if (c == ']') in_class_ = false;
    out_ += c;
    ++at_;
  }

  void escape() {
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at its end");
    const char c = pattern_[at_ + 1];
    if (std::string_view("wWbBhHAGKkgQEXRyYNOC").find(c) !=
        std::string_view::npos) {
      refuse(fmt::format("\\{}", c));
    }
    at_ += 2;
    if (c == 's') {
      out_ += in_class_ ? std::string(kSpace) : fmt::format("[{}]", kSpace);
    } else if (c == 'S') {
      if (in_class_) refuse("\\S inside a class");
      out_ += fmt::format("[^{}]", kSpace);
    } else if (c == 'u') {
      const auto digits = pattern_.substr(at_, 4);
      if (digits.size() < 4) refuse("\\u without four digits");
      out_ += fmt::format("\\x{{{}}}", digits);
      at_ += 4;
    } else {
      out_ += '\\';
      out_ += c;
    }
  }

  std::string_view pattern_;
  std::string_view place_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

Pattern make_regex(std::string_view pattern, std::string_view place) {
  if (pattern.size() > kLongestPattern) {
    throw_caller_error(
        "{}: a pre-tokenizer's regular expression has {} bytes; the limit is "
        "{}",
        place,
        pattern.size(),
        kLongestPattern);
  }
  return Pattern(
      Translator(pattern, place).run(),
      fmt::format("{}: the pre-tokenizer's regular expression", place),
      {.multiline = true, .utf8_subjects = true});
}

}  // namespace moft
