// A prompt with named holes: "<|im_start|>user\n{post}\n\nSummarize ..".
//
// `{name}` is replaced by the example's text field of that name; `{{` and `}}`
// are the braces themselves. A name may hold blanks, dots and hyphens
// ("{Post Title}"), but no braces, double quotes, line breaks or outer blanks.
//
// Thread safety: immutable after construction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "moft/data/example.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// A stretch of a prompt and whose words it is: the recipe's author (who may
// write special tokens) or the example's (who may not).
struct PromptPiece {
  std::string text;
  bool from_field = false;
};

// `words` at the start of the first field. CallerError when no piece comes from
// a field.
std::vector<PromptPiece> with_words(
    std::vector<PromptPiece> pieces, const std::string& words);

// `words` as a part of a template's text: braces doubled.
std::string escape_template(const std::string& words);

class PromptTemplate {
 public:
  // Throws CallerError for a brace that opens or closes nothing and for a name
  // that cannot be one.
  explicit PromptTemplate(std::string text);

  const std::string& text() const { return text_; }
  // The fields used, each once, in order of first use.
  const std::vector<std::string>& field_names() const { return field_names_; }

  // Throws CallerError (see text_field) for the first example that lacks a
  // field: call it once at the start rather than find out at step 40.
  void check(const std::vector<Example>& examples) const;

  // The pieces in order, holes filled. Throws as text_field does.
  std::vector<PromptPiece> fill(const Example& example) const;
  // The same as one string, for people and rewards to read.
  std::string render(const Example& example) const;

  // The text before the first field, braces no longer doubled.
  std::string before_first_field() const;
  // The template's text with `words` at the start of its first field, as
  // the function of that name puts them. CallerError when it has no field.
  std::string with_words(const std::string& words) const;

 private:
  std::string text_;
  std::vector<PromptPiece> pieces_;  // from_field: `text` is the field's name
  std::vector<std::string> field_names_;
};

}  // namespace moft
