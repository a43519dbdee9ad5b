// Regular expressions by PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "moft/core/pattern.h"

#include <array>
#include <new>

#include <fmt/format.h>
#include <pcre2.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

PCRE2_SPTR bytes_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string describe(int error) {
  std::array<PCRE2_UCHAR, 256> message{};
  if (pcre2_get_error_message(error, message.data(), message.size()) < 0) {
    return fmt::format("PCRE2 error {}", error);
  }
  return reinterpret_cast<const char*>(message.data());
}

std::uint32_t flags_of(const PatternOptions& options) {
  std::uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (!options.utf8_subjects) flags |= PCRE2_MATCH_INVALID_UTF;
  if (options.multiline) flags |= PCRE2_MULTILINE;
  if (options.ignore_case) flags |= PCRE2_CASELESS;
  return flags;
}

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_compile_context* context) const {
    pcre2_compile_context_free(context);
  }
};

using MatchData = std::unique_ptr<pcre2_match_data, Free>;

MatchData make_match_data() {
  MatchData data(pcre2_match_data_create(1, nullptr));
  if (!data) throw std::bad_alloc();
  return data;
}

}  // namespace

struct Pattern::Code {
  std::string text;
  std::string place;
  bool utf8_subjects = false;
  bool machine_code = false;
  std::unique_ptr<pcre2_code, Free> code;

  // PCRE2's result. Compiled code has a small stack of its own; the
  // interpreter takes what it needs, within the match limit.
  int match(std::string_view subject, std::size_t from, pcre2_match_data* data)
      const {
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    if (machine_code && utf8_subjects) {
      result = pcre2_jit_match(
          code.get(),
          bytes_of(subject),
          subject.size(),
          from,
          0,
          data,
          nullptr);
    } else if (machine_code) {
      result = run(subject, from, 0, data);
    }
    if (result != PCRE2_ERROR_JIT_STACKLIMIT) return result;
    const std::uint32_t unchecked = utf8_subjects ? PCRE2_NO_UTF_CHECK : 0;
    return run(subject, from, PCRE2_NO_JIT | unchecked, data);
  }

  int run(
      std::string_view subject,
      std::size_t from,
      std::uint32_t options,
      pcre2_match_data* data) const {
    return pcre2_match(
        code.get(),
        bytes_of(subject),
        subject.size(),
        from,
        options,
        data,
        nullptr);
  }
};

Pattern::Pattern(std::string text, std::string place, PatternOptions options)
    : code_(std::make_unique<Code>()) {
  code_->text = std::move(text);
  code_->place = std::move(place);
  code_->utf8_subjects = options.utf8_subjects;
  const std::unique_ptr<pcre2_compile_context, Free> context(
      pcre2_compile_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code.reset(pcre2_compile(
      bytes_of(code_->text),
      code_->text.size(),
      flags_of(options),
      &error,
      &offset,
      context.get()));
  if (!code_->code) {
    throw_caller_error(
        "{}: {} does not compile at byte {}: {}",
        code_->place,
        quote_text(code_->text),
        offset,
        describe(error));
  }
  // Without it matching is slower, not wrong.
  code_->machine_code =
      pcre2_jit_compile(code_->code.get(), PCRE2_JIT_COMPLETE) == 0;
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

const std::string& Pattern::text() const {
  return code_->text;
}

bool Pattern::found_in(std::string_view subject) const {
  const int result = code_->match(subject, 0, make_match_data().get());
  if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
    throw_caller_error(
        "{}: {} gave up on {} ({}); give a simpler pattern",
        code_->place,
        quote_text(code_->text),
        quote_text(subject, 200),
        describe(result));
  }
  return result >= 0;
}

struct PatternMatcher::State {
  const Pattern::Code* code;
  MatchData data;
};

PatternMatcher::PatternMatcher(const Pattern& pattern)
    : state_(new State{pattern.code_.get(), make_match_data()}) {}

PatternMatcher::~PatternMatcher() = default;

std::optional<PatternMatch> PatternMatcher::find(
    std::string_view text, std::size_t from) {
  const int result = state_->code->match(text, from, state_->data.get());
  if (result == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (result < 0) {
    throw_world_error(
        "{}: {} gave up on a text of {} bytes ({}); use a simpler pattern",
        state_->code->place,
        quote_text(state_->code->text, 200),
        text.size(),
        describe(result));
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(state_->data.get());
  return PatternMatch{offsets[0], offsets[1]};
}

}  // namespace moft
