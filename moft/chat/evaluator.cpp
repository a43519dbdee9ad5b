// One function per kind of expression.
#include "moft/chat/evaluator.h"

#include <memory>
#include <utility>

#include "moft/chat/compare.h"
#include "moft/chat/fault.h"
#include "moft/chat/filters.h"
#include "moft/chat/loop.h"
#include "moft/chat/numbers.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/template_tests.h"

namespace moft::jinja {

Value& variable_at(const FramePtr& frame, const SlotRef& ref) {
  Frame* each = frame.get();
  for (int up = ref.up; up > 0; --up)
    each = each->outer.get();
  return each->slots[static_cast<std::size_t>(ref.slot)];
}

bool Evaluator::is_true(const Expression& expression, const FramePtr& frame) {
  return jinja::is_true(evaluate(expression, frame));
}

Value Evaluator::evaluate(const Expression& node, const FramePtr& frame) {
  using Kind = Expression::Kind;
  const Level level(run_.budget());
  run_.budget().step();
  run_.at(node.line);
  const auto operand = [&](std::size_t i) {
    return evaluate(*node.operands[i], frame);
  };
  switch (node.kind) {
    case Kind::kConstant:
      return node.value;
    case Kind::kName:
      return name(node, frame);
    case Kind::kList:
    case Kind::kTuple:
      return list(node, frame);
    case Kind::kDict:
      return dict(node, frame);
    case Kind::kAttribute: {
      const Value object = operand(0);
      run_.at(node.line);
      return attribute_of(run_, object, node.name);
    }
    case Kind::kItem: {
      const Value object = operand(0);
      const Value key = operand(1);
      run_.at(node.line);
      return item_of(run_, object, key);
    }
    case Kind::kSlice:
      return slice(node, frame);
    case Kind::kCall:
      return call(node, frame);
    case Kind::kFilter:
      return filter(node, frame);
    case Kind::kTest:
      return test(node, frame);
    case Kind::kNot:
      return !is_true(*node.operands[0], frame);
    case Kind::kNegative:
    case Kind::kPositive:
      return signed_number(operand(0), node.kind == Kind::kNegative);
    case Kind::kAnd:
    case Kind::kOr: {
      Value left = operand(0);
      const bool decided = jinja::is_true(left) == (node.kind == Kind::kOr);
      return decided ? left : operand(1);
    }
    case Kind::kBinary: {
      const Value left = operand(0);
      const Value right = operand(1);
      run_.at(node.line);
      return binary_operation(run_, left, right, node.name);
    }
    case Kind::kConcatenate:
      return concatenate(node, frame);
    case Kind::kCompare:
      return compare(node, frame);
    case Kind::kConditional:
      return conditional(node, frame);
  }
  return {};
}

Value Evaluator::name(const Expression& node, const FramePtr& frame) {
  Value value = variable_at(frame, node.ref);
  if (!value.is_missing()) return value;
  return Value::undefined("'" + node.name + "' is undefined");
}

Value Evaluator::list(const Expression& node, const FramePtr& frame) {
  std::vector<Value> items;
  items.reserve(node.operands.size());
  for (const ExpressionPtr& operand : node.operands)
    items.push_back(evaluate(*operand, frame));
  const bool is_tuple = node.kind == Expression::Kind::kTuple;
  return run_.list(
      std::move(items), is_tuple ? Flavour::kTuple : Flavour::kList);
}

Value Evaluator::dict(const Expression& node, const FramePtr& frame) {
  auto result = std::make_shared<Dict>(run_.budget());
  for (std::size_t i = 0; i < node.operands.size(); i += 2) {
    Value key = evaluate(*node.operands[i], frame);
    Value value = evaluate(*node.operands[i + 1], frame);
    result->put(std::move(key), std::move(value));
  }
  return std::shared_ptr<const Dict>(std::move(result));
}

Value Evaluator::slice(const Expression& node, const FramePtr& frame) {
  const Value values = evaluate(*node.operands[0], frame);
  Value bounds[3];
  for (std::size_t i = 0; i < 3; ++i) {
    if (node.operands[i + 1] != nullptr)
      bounds[i] = evaluate(*node.operands[i + 1], frame);
  }
  run_.at(node.line);
  return slice_of(run_, values, bounds[0], bounds[1], bounds[2]);
}

Arguments Evaluator::arguments_of(
    const Expression& node, const FramePtr& frame, bool with_first) {
  Arguments arguments;
  for (std::size_t i = with_first ? 0 : 1; i < node.operands.size(); ++i) {
    const Expression* operand = node.operands[i].get();
    arguments.positional.push_back(
        operand == nullptr ? block_text_ : evaluate(*operand, frame));
  }
  for (const Keyword& keyword : node.keywords) {
    arguments.named.emplace_back(keyword.name, evaluate(*keyword.value, frame));
  }
  if (node.more_operands != nullptr) {
    const Value more = evaluate(*node.more_operands, frame);
    for (Value& item : items_of(more, run_.budget()))
      arguments.positional.push_back(std::move(item));
  }
  if (node.more_keywords != nullptr) {
    const Value more = evaluate(*node.more_keywords, frame);
    need_defined(more);
    if (more.dict() == nullptr) fault("'**' in a call needs an object");
    for (const auto& [key, value] : more.dict()->entries()) {
      if (key.text() == nullptr) fault("'**' in a call needs names as keys");
      for (const auto& [given, ignored] : arguments.named)
        if (given == key.text()->bytes()) fault("'{}' is given twice", given);
      arguments.named.emplace_back(key.text()->bytes(), value);
    }
  }
  return arguments;
}

Value Evaluator::call(const Expression& node, const FramePtr& frame) {
  const Value callee = evaluate(*node.operands[0], frame);
  Arguments arguments = arguments_of(node, frame, false);
  run_.at(node.line);
  return run_.call(callee, std::move(arguments));
}

Value Evaluator::call_with(
    const Expression& node,
    const FramePtr& frame,
    const std::string& name,
    Value value) {
  const Level level(run_.budget());
  const Value callee = evaluate(*node.operands[0], frame);
  Arguments arguments = arguments_of(node, frame, false);
  arguments.named.emplace_back(name, std::move(value));
  run_.at(node.line);
  return run_.call(callee, std::move(arguments));
}

Value Evaluator::filter(const Expression& node, const FramePtr& frame) {
  if (find_filter(node.name) == nullptr) need_filter(node.name, node.line);
  Arguments arguments = arguments_of(node, frame, true);
  run_.at(node.line);
  return apply_filter(run_, node.name, std::move(arguments));
}

Value Evaluator::filter_block(
    const Expression& node, const FramePtr& frame, const Value& text) {
  const Value before = std::exchange(block_text_, text);
  Value result = evaluate(node, frame);
  block_text_ = before;
  return result;
}

Value Evaluator::test(const Expression& node, const FramePtr& frame) {
  need_test(node.name, node.line);
  Arguments arguments = arguments_of(node, frame, true);
  run_.at(node.line);
  return apply_test(run_, node.name, std::move(arguments));
}

Value Evaluator::concatenate(const Expression& node, const FramePtr& frame) {
  MarkedText text;
  for (const ExpressionPtr& operand : node.operands) {
    text.append(printed(evaluate(*operand, frame), run_.budget()));
    run_.budget().will_need(static_cast<double>(text.size()));
  }
  run_.at(node.line);
  return run_.text(std::move(text));
}

bool Evaluator::holds(const std::string& op, const Value& a, const Value& b) {
  Budget& budget = run_.budget();
  if (op == "==") return equal(a, b, budget);
  if (op == "!=") return !equal(a, b, budget);
  if (op == "<") return less(a, b, budget);
  if (op == ">") return less(b, a, budget);
  if (op == "<=") return less(a, b, budget) || equal(a, b, budget);
  if (op == ">=") return less(b, a, budget) || equal(a, b, budget);
  return contains(b, a, budget) == (op == "in");
}

Value Evaluator::compare(const Expression& node, const FramePtr& frame) {
  Value left = evaluate(*node.operands[0], frame);
  for (std::size_t i = 0; i < node.operators.size(); ++i) {
    Value right = evaluate(*node.operands[i + 1], frame);
    run_.at(node.line);
    if (!holds(node.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::conditional(const Expression& node, const FramePtr& frame) {
  if (is_true(*node.operands[0], frame))
    return evaluate(*node.operands[1], frame);
  if (node.operands.size() > 2) return evaluate(*node.operands[2], frame);
  return Value::undefined("an inline if without 'else' was false");
}

}  // namespace moft::jinja
