// A template's source to tokens, as jinja2's lexer with trim_blocks and
// lstrip_blocks (transformers' setting): the first line break after a block
// and the blanks before it on its line go, `-` takes all white space on its
// side, `+` keeps it.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
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
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text = {};  // the name, operator, literal or data
  Value number = {};
  int line = 0;

  bool is(Kind other, std::string_view value) const {
    return kind == other && text == value;
  }
  bool is_name(std::string_view value) const { return is(Kind::kName, value); }
  bool is_operator(std::string_view value) const {
    return is(Kind::kOperator, value);
  }
};

// Ends with one kEnd. Fault with a line for text that jinja2 does not read.
// REQUIRES valid UTF-8.
std::vector<Token> lex_template(std::string_view source);

// "'endfor'", "the end of the template": for messages.
std::string description(const Token& token);

}  // namespace moft::jinja
