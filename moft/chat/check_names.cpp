// A walk over all expressions outside of conditions.
#include "moft/chat/check_names.h"

#include "moft/chat/filters.h"
#include "moft/chat/template_tests.h"

namespace moft::jinja {

namespace {

void check_expression(const Expression* node) {
  if (node == nullptr || node->kind == Expression::Kind::kConditional) return;
  if (node->kind == Expression::Kind::kFilter)
    need_filter(node->name, node->line);
  if (node->kind == Expression::Kind::kTest) need_test(node->name, node->line);
  for (const ExpressionPtr& operand : node->operands)
    check_expression(operand.get());
  for (const Keyword& keyword : node->keywords)
    check_expression(keyword.value.get());
  check_expression(node->more_operands.get());
  check_expression(node->more_keywords.get());
}

}  // namespace

void check_names(const Block& block) {
  for (const auto& statement : block) {
    if (statement->kind == Statement::Kind::kIf) continue;
    for (const ExpressionPtr& expression : statement->expressions)
      check_expression(expression.get());
    check_expression(statement->filter.get());
    check_expression(statement->test.get());
    for (const Block& body : statement->bodies)
      check_names(body);
    if (statement->macro == nullptr) continue;
    for (const ExpressionPtr& each : statement->macro->defaults)
      check_expression(each.get());
    check_names(statement->macro->body);
  }
}

}  // namespace moft::jinja
