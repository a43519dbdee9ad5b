#define PCRE2_CODE_UNIT_WIDTH 8
#include "moft/tokenizers/regex.h"

#include <array>

#include <fmt/format.h>
#include <pcre2.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

// White_Space; PCRE2's own \s has one code point more (U+180E).
constexpr std::string_view kSpace = R"(\p{Z}\x{9}-\x{d}\x{85})";

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

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  std::string pattern;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(std::string_view pattern, std::string_view place)
    : code_(std::make_unique<Code>()) {
  if (pattern.size() > 10000) {
    throw_caller_error(
        "{}: a pre-tokenizer's regular expression has {} bytes; the limit is "
        "10000",
        place,
        pattern.size());
  }
  const std::string translated = Translator(pattern, place).run();
  code_->pattern = std::string(pattern);
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()),
      translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
      &error,
      &offset,
      context);
  pcre2_compile_context_free(context);
  if (code_->code == nullptr) {
    std::array<PCRE2_UCHAR, 200> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    throw_caller_error(
        "{}: the pre-tokenizer's regular expression '{}' cannot be read ({}); "
        "fix it or take another model",
        place,
        pattern,
        reinterpret_cast<const char*>(message.data()));
  }
  code_->jit = pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE) == 0;
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

struct RegexMatcher::State {
  const Regex::Code* code;
  pcre2_match_data* data;
  ~State() { pcre2_match_data_free(data); }
};

RegexMatcher::RegexMatcher(const Regex& regex)
    : state_(new State{regex.code_.get(), nullptr}) {
  state_->data = pcre2_match_data_create(1, nullptr);
  if (state_->data == nullptr) throw std::bad_alloc();
}

RegexMatcher::~RegexMatcher() = default;

std::optional<Match> RegexMatcher::find(
    std::string_view text, std::size_t from) {
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int result = PCRE2_ERROR_JIT_STACKLIMIT;
  if (state_->code->jit) {
    result = pcre2_jit_match(
        state_->code->code,
        subject,
        text.size(),
        from,
        0,
        state_->data,
        nullptr);
  }
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
    result = pcre2_match(
        state_->code->code,
        subject,
        text.size(),
        from,
        PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
        state_->data,
        nullptr);
  }
  if (result == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (result < 0) {
    throw_world_error(
        "the pre-tokenizer's regular expression '{}' gave up (PCRE2 error {}) "
        "on a text of {} bytes; use a tokenizer with a simpler expression",
        state_->code->pattern,
        result,
        text.size());
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(state_->data);
  return Match{offsets[0], offsets[1]};
}

}  // namespace moft
