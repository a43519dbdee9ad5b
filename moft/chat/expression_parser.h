// Expressions of a template, with jinja2's precedences: if-else, or, and, not,
// comparisons, + -, ~, * %, signs, then calls, subscripts, filters and tests.
#pragma once

#include <string_view>
#include <vector>

#include "moft/chat/template_lexer.h"
#include "moft/chat/template_nodes.h"

namespace moft::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr parse(bool with_condition = true);
  // The same, where commas make a tuple; `end` is a name that ends it too.
  ExpressionPtr parse_tuple(
      bool with_condition = true, std::string_view end = {});

 private:
  using Kind = Expression::Kind;
  struct Operator {
    std::string_view name;
    int level;
    Kind kind;  // kConstant: refused
  };

  ExpressionPtr make(
      Kind kind, int line, std::vector<ExpressionPtr> operands) const;
  // Sets the depth; refuses an expression that is nested too deeply.
  ExpressionPtr checked(ExpressionPtr expression) const;
  ExpressionPtr constant(Value value, int line) const;
  ExpressionPtr parse_condition();
  // Operators of this level and stronger ones.
  ExpressionPtr parse_operators(int level);
  // Null if the current token is not an operator of the level.
  const Operator* operator_here(int level) const;
  ExpressionPtr parse_unary(bool with_filters);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_parentheses();
  ExpressionPtr parse_items(Kind kind, std::string_view end);
  ExpressionPtr parse_postfix(ExpressionPtr node, bool with_filters);
  ExpressionPtr parse_filter(ExpressionPtr node);
  ExpressionPtr parse_test(ExpressionPtr node);
  ExpressionPtr parse_attribute(ExpressionPtr node);
  ExpressionPtr parse_bracket(ExpressionPtr node);
  ExpressionPtr parse_call(ExpressionPtr node);
  void parse_arguments(Expression& call);

  TokenStream& tokens_;
  int nested_ = 0;
};

}  // namespace moft::jinja
