// Statements one after the other, and one function per kind of expression.
#include "moft/chat/interpreter.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "moft/chat/filters.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"

namespace moft::jinja {

namespace {

// How a block ends.
enum class Flow { kNext, kBreak, kContinue };

// Text being written: the template's, or that of a macro or block.
struct Output {
  explicit Output(Budget& budget) : held(budget, 0) {}

  void append(const MarkedText& more) {
    held.grow(more.size());
    text.append(more);
  }

  MarkedText text;
  Holding held;
};

// The variable that a name refers to in `frame`.
Value& variable_at(const FramePtr& frame, const SlotRef& ref) {
  Frame* each = frame.get();
  for (int up = ref.up; up > 0; --up)
    each = each->outer.get();
  return each->slots[static_cast<std::size_t>(ref.slot)];
}

class Interpreter {
 public:
  explicit Interpreter(Run& run) : run_(run) {}

  MarkedText run(const TemplateProgram& program) {
    Flow flow = Flow::kNext;
    return captured(program.body, open(program.scope, nullptr), flow);
  }

 private:
  FramePtr open(const Scope& scope, const FramePtr& outer) {
    run_.budget().steps(1 + static_cast<std::int64_t>(scope.slots.size()) / 4);
    auto frame = std::make_shared<Frame>();
    frame->outer = outer;
    frame->slots.resize(scope.slots.size());
    for (std::size_t i = 0; i < scope.slots.size(); ++i) {
      const Slot& slot = scope.slots[i];
      if (slot.load == Slot::Load::kContext) {
        frame->slots[i] = run_.variable(slot.name);
      } else if (slot.load == Slot::Load::kOuter) {
        frame->slots[i] = variable_at(frame, slot.outer);
      }
    }
    return frame;
  }

  // What a block writes, instead of the output at hand. `flow` takes how it
  // ended.
  MarkedText captured(const Block& block, const FramePtr& frame, Flow& flow) {
    Output output(run_.budget());
    Output* const before = std::exchange(output_, &output);
    try {
      flow = execute(block, frame);
    } catch (...) {
      output_ = before;
      throw;
    }
    output_ = before;
    return std::move(output.text);
  }

  Flow execute(const Block& block, const FramePtr& frame) {
    for (const auto& statement : block) {
      const Flow flow = execute(*statement, frame);
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow execute(const Statement& node, const FramePtr& frame) {
    using Kind = Statement::Kind;
    const Level level(run_.budget());
    run_.budget().step();
    run_.at(node.line);
    switch (node.kind) {
      case Kind::kText:
        write(*node.text.text());
        break;
      case Kind::kPrint: {
        const Value value = evaluate(*node.expressions[0], frame);
        if (const MarkedText* text = value.text()) {
          write(*text);
        } else {
          write(printed(value, run_.budget()));
        }
        break;
      }
      case Kind::kIf:
        return execute_if(node, frame);
      case Kind::kFor:
        return execute_for(node, frame);
      case Kind::kSet:
        execute_set(node, frame);
        break;
      case Kind::kSetBlock:
        return execute_set_block(node, frame);
      case Kind::kMacro:
        assign(node.target, macro_value(node, frame), frame);
        break;
      case Kind::kGeneration:
        execute_generation(node, frame);
        break;
      case Kind::kBreak:
        return Flow::kBreak;
      case Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  void write(const MarkedText& text) {
    run_.budget().copies(text.size());
    output_->append(text);
  }

  Flow execute_if(const Statement& node, const FramePtr& frame) {
    for (std::size_t i = 0; i < node.expressions.size(); ++i) {
      if (holds(*node.expressions[i], frame))
        return execute(node.bodies[i], frame);
    }
    const bool has_else = node.bodies.size() > node.expressions.size();
    return has_else ? execute(node.bodies.back(), frame) : Flow::kNext;
  }

  Flow execute_for(const Statement& node, const FramePtr& frame) {
    const Value values = evaluate(*node.expressions[0], frame);
    std::function<bool(const Value&)> filter;
    if (node.test != nullptr) {
      filter = [this, &node, frame](const Value& item) {
        const FramePtr inner = open(node.test_scope, frame);
        assign(node.test_target, item, inner);
        return holds(*node.test, inner);
      };
    }
    run_.at(node.line);
    const auto loop =
        std::make_shared<Loop>(values, std::move(filter), run_.budget());
    // jinja2 runs `else` unless some turn came to its end.
    bool runs_else = node.bodies.size() > 1;
    Flow left = Flow::kNext;
    for (Value item; left != Flow::kBreak && loop->advance(item);) {
      run_.budget().step();
      const FramePtr inner = open(node.scopes[0], frame);
      inner->slots[static_cast<std::size_t>(node.loop_slot)] = Value(loop);
      assign(node.target, item, inner);
      left = execute(node.bodies[0], inner);
      if (left == Flow::kNext) runs_else = false;
      run_.at(node.line);
    }
    if (!runs_else) return Flow::kNext;
    return execute(node.bodies[1], open(node.scopes[1], frame));
  }

  void assign(const Target& target, const Value& value, const FramePtr& frame) {
    if (target.name.empty()) {
      need_defined(value);
      const std::vector<Value> items = items_of(value, run_.budget());
      if (items.size() != target.parts.size()) {
        fault(
            "{} values do not fill {} names",
            items.size(),
            target.parts.size());
      }
      for (std::size_t i = 0; i < items.size(); ++i)
        assign(target.parts[i], items[i], frame);
      return;
    }
    Value& variable = variable_at(frame, target.ref);
    if (target.attribute.empty()) {
      variable = value;
      return;
    }
    run_.budget().step();
    variable.name_space()->attributes.insert_or_assign(target.attribute, value);
  }

  // `ns.x` in a target needs a namespace before anything is evaluated.
  void need_namespace(const Target& target, const FramePtr& frame) {
    if (!target.attribute.empty() &&
        variable_at(frame, target.ref).name_space() == nullptr) {
      fault(
          "'{}' is not a namespace; only attributes of namespaces can be set",
          target.name);
    }
  }

  void execute_set(const Statement& node, const FramePtr& frame) {
    need_namespace(node.target, frame);
    const Value value = evaluate(*node.expressions[0], frame);
    run_.at(node.line);
    assign(node.target, value, frame);
  }

  Flow execute_set_block(const Statement& node, const FramePtr& frame) {
    const FramePtr inner = open(node.scopes[0], frame);
    Flow flow = Flow::kNext;
    MarkedText text = captured(node.bodies[0], inner, flow);
    if (flow != Flow::kNext) return flow;
    run_.at(node.line);
    need_namespace(node.target, frame);
    assign(node.target, run_.text(std::move(text)), frame);
    return Flow::kNext;
  }

  void execute_generation(const Statement& node, const FramePtr& frame) {
    const std::size_t start = output_->text.size();
    execute(node.bodies[0], open(node.scopes[0], frame));
    output_->text.mark_from(start, kInGeneration);
  }

  Value macro_value(const Statement& macro, const FramePtr& frame) {
    run_.capture(frame);
    return run_.function([this, &macro, frame](Run&, Arguments arguments) {
      return call_macro(macro, frame, std::move(arguments));
    });
  }

  Value call_macro(
      const Statement& macro, const FramePtr& outer, Arguments given) {
    const FramePtr frame = open(macro.scopes[0], outer);
    const std::size_t count = macro.parameters.size();
    const std::size_t first_default = count - macro.expressions.size();
    if (given.positional.size() > count)
      fault("the macro '{}' takes {} arguments", macro.target.name, count);
    std::move(
        given.positional.begin(), given.positional.end(), frame->slots.begin());
    for (auto& [name, value] : given.named)
      parameter(macro, *frame, name) = std::move(value);
    for (std::size_t i = 0; i < count; ++i) {
      Value& value = frame->slots[i];
      if (!value.is_missing()) continue;
      value = i < first_default
                  ? Value::undefined(fmt::format(
                        "parameter '{}' was not provided", macro.parameters[i]))
                  : evaluate(*macro.expressions[i - first_default], frame);
    }
    Flow flow = Flow::kNext;
    return run_.text(captured(macro.bodies[0], frame, flow));
  }

  // The variable of a parameter that is given by name.
  static Value& parameter(
      const Statement& macro, Frame& frame, const std::string& name) {
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
      const bool is_free = frame.slots[i].is_missing();
      if (macro.parameters[i] == name && is_free) return frame.slots[i];
    }
    fault("the macro '{}' has no argument '{}'", macro.target.name, name);
  }

  bool holds(const Expression& expression, const FramePtr& frame) {
    return is_true(evaluate(expression, frame));
  }

  Value evaluate(const Expression& node, const FramePtr& frame) {
    using Kind = Expression::Kind;
    const Level level(run_.budget());
    run_.budget().step();
    run_.at(node.line);
    switch (node.kind) {
      case Kind::kConstant:
        return node.value;
      case Kind::kName: {
        const Value& value = variable_at(frame, node.ref);
        if (!value.is_missing()) return value;
        return Value::undefined("'" + node.name + "' is undefined");
      }
      case Kind::kAnd:
      case Kind::kOr: {
        Value left = evaluate(*node.operands[0], frame);
        const bool decided = is_true(left) == (node.kind == Kind::kOr);
        return decided ? left : evaluate(*node.operands[1], frame);
      }
      case Kind::kNot:
        return !holds(*node.operands[0], frame);
      case Kind::kConditional:
        return conditional(node, frame);
      case Kind::kFilter:
        need_filter(node.name, 0);
        return apply(node, arguments_of(node, frame));
      case Kind::kTest:
        need_test(node.name, 0);
        return apply(node, arguments_of(node, frame));
      default:
        return apply(node, arguments_of(node, frame));
    }
  }

  // The values of the operands; Missing where there is none.
  Arguments arguments_of(const Expression& node, const FramePtr& frame) {
    Arguments arguments;
    arguments.positional.reserve(node.operands.size());
    for (const ExpressionPtr& operand : node.operands) {
      arguments.positional.push_back(
          operand == nullptr ? Value() : evaluate(*operand, frame));
    }
    for (const Keyword& keyword : node.keywords)
      arguments.named.emplace_back(
          keyword.name, evaluate(*keyword.value, frame));
    run_.at(node.line);
    return arguments;
  }

  // A kind of expression that evaluates all of its operands first.
  Value apply(const Expression& node, Arguments arguments) {
    using Kind = Expression::Kind;
    auto& operands = arguments.positional;
    switch (node.kind) {
      case Kind::kList:
        return run_.list(std::move(operands));
      case Kind::kTuple:
        return run_.list(std::move(operands), Flavour::kTuple);
      case Kind::kDict:
        return dict(operands);
      case Kind::kAttribute:
        return attribute_of(run_, operands[0], node.name);
      case Kind::kItem:
        return item_of(run_, operands[0], operands[1]);
      case Kind::kSlice:
        return slice_of(
            run_, operands[0], operands[1], operands[2], operands[3]);
      case Kind::kCall: {
        const Value callee = std::move(operands[0]);
        operands.erase(operands.begin());
        return run_.call(callee, std::move(arguments));
      }
      case Kind::kFilter:
        return apply_filter(run_, node.name, std::move(arguments));
      case Kind::kTest:
        return apply_test(run_, node.name, std::move(arguments));
      case Kind::kNegative:
        return negated(operands[0]);
      case Kind::kBinary:
        return binary_operation(run_, operands[0], operands[1], node.name);
      default:
        return concatenate(operands);
    }
  }

  Value dict(std::vector<Value>& operands) {
    auto result = std::make_shared<Dict>(run_.budget());
    for (std::size_t i = 0; i < operands.size(); i += 2)
      result->put(std::move(operands[i]), std::move(operands[i + 1]));
    return std::shared_ptr<const Dict>(std::move(result));
  }

  Value concatenate(const std::vector<Value>& operands) {
    MarkedText text;
    for (const Value& operand : operands) {
      text.append(printed(operand, run_.budget()));
      run_.budget().will_need(static_cast<double>(text.size()));
    }
    return run_.text(std::move(text));
  }

  Value conditional(const Expression& node, const FramePtr& frame) {
    if (holds(*node.operands[0], frame))
      return evaluate(*node.operands[1], frame);
    if (node.operands.size() > 2) return evaluate(*node.operands[2], frame);
    return Value::undefined("an inline if without 'else' was false");
  }

  Run& run_;
  Output* output_ = nullptr;
};

}  // namespace

MarkedText run_program(const TemplateProgram& program, Run& run) {
  return Interpreter(run).run(program);
}

}  // namespace moft::jinja
