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

}  // namespace

struct Pattern::Code {
  std::string text;
  std::string place;
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Pattern::Pattern(std::string text, std::string place)
    : code_(std::make_unique<Code>()) {
  code_->text = std::move(text);
  code_->place = std::move(place);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code = pcre2_compile(
      bytes_of(code_->text),
      code_->text.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
      &error,
      &offset,
      nullptr);
  if (code_->code == nullptr) {
    throw_caller_error(
        "{}: {} does not compile at byte {}: {}",
        code_->place,
        quote_text(code_->text),
        offset,
        describe(error));
  }
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

const std::string& Pattern::text() const {
  return code_->text;
}

bool Pattern::found_in(std::string_view subject) const {
  struct Free {
    void operator()(pcre2_match_data* data) const {
      pcre2_match_data_free(data);
    }
  };
  const std::unique_ptr<pcre2_match_data, Free> match(
      pcre2_match_data_create_from_pattern(code_->code, nullptr));
  if (!match) throw std::bad_alloc();
  const int result = pcre2_match(
      code_->code,
      bytes_of(subject),
      subject.size(),
      0,
      0,
      match.get(),
      nullptr);
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

}  // namespace moft
