// Expressions of a template, with jinja2's precedences: if-else, or, and, not,
// comparisons, + -, ~, * / // %, **, signs, then calls, subscripts, filters
// and tests.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "moft/chat/template_nodes.h"
#include "moft/chat/token_stream.h"

namespace moft::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr parse(bool with_condition = true);
  // The same, where commas make a tuple; `end` is a name that ends it too.
  ExpressionPtr parse_tuple(
      bool with_condition = true, std::string_view end = {});
  // Filters with or without `|` before the first one, applied to null.
  ExpressionPtr parse_block_filter(bool starts_inline);

 private:
  using Kind = Expression::Kind;

  ExpressionPtr make(Kind kind, int line, std::vector<ExpressionPtr> operands);
  // Refuses an expression that is nested too deeply.
  ExpressionPtr checked(ExpressionPtr expression) const;
  ExpressionPtr constant(Value value, int line);

  ExpressionPtr parse_condition();
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_compare();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filter = true);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_parentheses();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr node);
  ExpressionPtr parse_filters_and_tests(ExpressionPtr node);
  ExpressionPtr parse_filters(ExpressionPtr node, bool starts_inline);
  ExpressionPtr parse_test(ExpressionPtr node);
  ExpressionPtr parse_subscript(ExpressionPtr node);
  ExpressionPtr parse_bracket(ExpressionPtr node, int line);
  ExpressionPtr parse_call(ExpressionPtr node);
  void parse_arguments(Expression& call);
  bool ends_tuple(std::string_view end) const;

  TokenStream& tokens_;
  int nested_ = 0;
};

}  // namespace moft::jinja
