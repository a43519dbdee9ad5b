// A regular expression of a pre-tokeniser, with the meaning that Oniguruma
// (the engine of Hugging Face `tokenizers`) gives it, run by PCRE2.
//
// Supported is what both engines read alike, plus `\s`, `\S` and `\uXXXX`,
// which are rewritten. Everything else is refused when the pattern is read:
// `\w`, `\b`, `\h` and their opposites, nested classes, `&&`, `\S` in a class.
// None of the four pre-tokenisers that moft names explodes on any text.
//
// Thread safety: pure.
#pragma once

#include <string_view>

#include "moft/core/pattern.h"

namespace moft {

// `place` names the file in errors. Throws CallerError for a pattern that is
// not supported. Its subjects must be valid UTF-8.
Pattern make_regex(std::string_view pattern, std::string_view place);

}  // namespace moft
