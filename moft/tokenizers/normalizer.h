// What a tokenizer does to text before cutting it: the steps of Hugging Face
// `tokenizers`' normalisers, in order.
//
// Thread safety: immutable once built.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "moft/tokenizers/character_map.h"
#include "moft/tokenizers/regex.h"
#include "moft/tokenizers/unicode.h"
#include "moft/tokenizers/word_piece.h"

namespace moft {

// Put before the text, unless the text is empty.
struct PrependStep {
  std::string text;
};

// Every occurrence of `what`, or every match of `regex`, becomes `by`.
struct ReplaceStep {
  std::string what;
  std::shared_ptr<const Pattern> regex;  // none: `what`
  std::string by;
};

// White space at the ends goes.
struct StripStep {
  bool left = true;
  bool right = true;
};

// SentencePiece's table of characters, as `tokenizers` applies it.
struct CharacterMapStep {
  std::shared_ptr<const CharacterMap> map;
};

using NormalizerStep = std::variant<
    NormalForm,
    BertNormalizer,
    PrependStep,
    ReplaceStep,
    StripStep,
    CharacterMapStep>;

// REQUIRES valid UTF-8 and gives it.
std::string normalise_by(
    std::string_view text, const std::vector<NormalizerStep>& steps);

// Removes white space, as `is_space` has it, at the ends that `step` names.
// REQUIRES valid UTF-8.
void trim_text(
    std::string& text, const StripStep& step, bool (*is_space)(char32_t));

// Every `what` in `text` becomes `by`. REQUIRES a `what` that is not empty.
void replace_in_text(
    std::string& text, std::string_view what, std::string_view by);

}  // namespace moft
