// Parses prompt templates and fills them.
#include "moft/data/prompt_template.h"

#include <algorithm>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft {
namespace {

// Anything that fits on a line and neither begins nor ends with a blank:
// data comes with fields such as "Post Title" and "post.text-en".
bool is_name(std::string_view name) {
  return !name.empty() && trimmed(name) == name && is_utf8(name) &&
         std::none_of(name.begin(), name.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < 0x20 || byte == 0x7F || c == '{' || c == '"';
         });
}

// Reads a template from left to right into pieces.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<PromptPiece> parse() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != '{' && c != '}') {
        literal_ += c;
        ++at_;
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == c) {
        literal_ += c;
        at_ += 2;
      } else if (c == '{') {
        take_field();
      } else {
        throw_caller_error(
            "prompt template: the '}}' at character {} closes nothing; write "
            "'}}}}' for the brace itself",
            at_ + 1);
      }
    }
    end_literal();
    return std::move(pieces_);
  }

 private:
  void end_literal() {
    if (!literal_.empty()) pieces_.push_back({std::move(literal_), false});
    literal_.clear();
  }

  void take_field() {
    const std::size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) {
      throw_caller_error(
          "prompt template: the '{{' at character {} is never closed; close "
          "the field's name or write '{{{{' for the brace itself",
          at_ + 1);
    }
    const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
    if (!is_name(name)) {
      throw_caller_error(
          "prompt template: {} at character {} is not a field name; give one "
          "without braces, double quotes, line breaks and outer blanks, or "
          "write '{{{{' for the brace itself",
          quote_text(name),
          at_ + 1);
    }
    end_literal();
    pieces_.push_back({std::string(name), true});
    at_ = end + 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string literal_;
  std::vector<PromptPiece> pieces_;
};

}  // namespace

std::vector<PromptPiece> with_words(
    std::vector<PromptPiece> pieces, const std::string& words) {
  const auto place =
      std::find_if(pieces.begin(), pieces.end(), [](const PromptPiece& piece) {
        return piece.from_field;
      });
  if (place == pieces.end()) {
    throw_caller_error(
        "a weighting's words are put at the prompt's first field, and this "
        "prompt has none; give the prompt as text, and {{name}} in its "
        "template");
  }
  pieces.insert(place, PromptPiece{words, true});
  return pieces;
}

std::string escape_template(const std::string& words) {
  std::string text;
  for (const char letter : words) {
    text += letter;
    if (letter == '{' || letter == '}') text += letter;
  }
  return text;
}

PromptTemplate::PromptTemplate(std::string text)
    : text_(std::move(text)), pieces_(Parser(text_).parse()) {
  for (const PromptPiece& piece : pieces_) {
    if (piece.from_field &&
        std::find(field_names_.begin(), field_names_.end(), piece.text) ==
            field_names_.end()) {
      field_names_.push_back(piece.text);
    }
  }
}

void PromptTemplate::check(const std::vector<Example>& examples) const {
  for (const Example& example : examples) {
    for (const std::string& name : field_names_) {
      text_field(example, name, "the prompt template");
    }
  }
}

std::vector<PromptPiece> PromptTemplate::fill(const Example& example) const {
  std::vector<PromptPiece> filled;
  filled.reserve(pieces_.size());
  for (const PromptPiece& piece : pieces_) {
    filled.push_back(piece);
    if (piece.from_field)
      filled.back().text =
          text_field(example, piece.text, "the prompt template");
  }
  return filled;
}

std::string PromptTemplate::render(const Example& example) const {
  std::string rendered;
  for (const PromptPiece& piece : fill(example))
    rendered += piece.text;
  return rendered;
}

std::string PromptTemplate::before_first_field() const {
  std::string before;
  for (const PromptPiece& piece : pieces_) {
    if (piece.from_field) break;
    before += piece.text;
  }
  return before;
}

std::string PromptTemplate::with_words(const std::string& words) const {
  if (field_names_.empty()) {
    throw_caller_error(
        "a weighting's words are put at the first field of the prompt "
        "template, and {} has none; write {{name}} where the words go",
        quote_text(text_));
  }
  std::string text;
  bool placed = false;
  for (const PromptPiece& piece : pieces_) {
    if (piece.from_field && !placed) {
      text += escape_template(words);
      placed = true;
    }
    text +=
        piece.from_field ? "{" + piece.text + "}" : escape_template(piece.text);
  }
  return text;
}

}  // namespace moft
