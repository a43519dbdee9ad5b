// A template's source to tokens, as jinja2's lexer with trim_blocks and
// lstrip_blocks (transformers' setting): the first line break after a block
// and the blanks before it on its line go, `-` takes all white space on its
// side, `+` keeps it.
//
// Thread safety: one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "moft/chat/value.h"

namespace moft::jinja {

struct Token {
  enum class Kind {
    kData,        // text outside of tags
    kPrintBegin,  // {{
    kPrintEnd,    // }}
    kBlockBegin,  // {%
    kBlockEnd,    // %}
    kName,
    kText,  // a literal, unescaped
    kInteger,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text = {};  // the name, operator, literal or data
  Value number = {};
  int line = 0;

  bool is_name(std::string_view value) const {
    return kind == Kind::kName && text == value;
  }
  bool is_operator(std::string_view value) const {
    return kind == Kind::kOperator && text == value;
  }
  // As one of the characters of `values`.
  bool is_one_of(std::string_view values) const {
    return kind == Kind::kOperator && text.size() == 1 &&
           values.find(text[0]) != std::string_view::npos;
  }
};

// Ends with one kEnd. Fault with a line for text that jinja2 does not read.
// REQUIRES valid UTF-8.
std::vector<Token> lex_template(std::string_view source);

// "'endfor'", "the end of the template": for messages.
std::string description(const Token& token);

// The tokens of a template, read one after the other by the parser.
class TokenStream {
 public:
  // REQUIRES tokens that end with one kEnd.
  explicit TokenStream(std::vector<Token> tokens)
      : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& look() const {
    return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_];
  }
  int line() const { return current().line; }

  // The current token, and on to the next.
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_name(std::string_view name) {
    if (!current().is_name(name)) return false;
    next();
    return true;
  }
  bool skip_operator(std::string_view text) {
    if (!current().is_operator(text)) return false;
    next();
    return true;
  }

  // Each goes on or throws Fault.
  const Token& expect(Token::Kind kind, std::string_view what) {
    if (current().kind != kind) unexpected(what);
    return next();
  }
  void expect_operator(std::string_view text) {
    if (!skip_operator(text)) unexpected(text);
  }

  [[noreturn]] void unexpected(std::string_view wanted) const {
    fault_at(
        line(), "found {} where {} belongs", description(current()), wanted);
  }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace moft::jinja
