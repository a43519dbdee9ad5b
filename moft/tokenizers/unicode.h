// The little Unicode that tokenizers need: normal forms and a few classes of
// code points. UTF-8 itself is in core/utf8.h.
//
// Functions that take `text` as code points REQUIRE valid UTF-8; make it valid
// with replace_invalid_utf8 first. Linear time but for sorting runs of
// combining marks (n log n). Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "moft/core/utf8.h"

namespace moft {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

std::string normalise(std::string_view text, NormalForm form);

// Unicode's White_Space property.
bool is_white_space(char32_t value);
// General category N (Nd, Nl, No).
bool is_number(char32_t value);
// General category P.
bool is_punctuation(char32_t value);
// General category Mn.
bool is_nonspacing_mark(char32_t value);
// General categories Cc, Cf and Co.
bool is_other(char32_t value);
// A letter, mark, decimal digit, connector or joiner: `\w` of Unicode's
// regular-expression report (UTS 18).
bool is_word(char32_t value);
// The full lower-case form of one code point, appended.
void append_lower(std::string& text, char32_t value);

}  // namespace moft
