// The tokens of a template, read one after the other by the parser.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "moft/chat/fault.h"
#include "moft/chat/template_lexer.h"

namespace moft::jinja {

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
  void expect_name(std::string_view name) {
    if (!skip_name(name)) unexpected(name);
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
