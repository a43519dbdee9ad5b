// Statements, one after the other.
#include "moft/chat/interpreter.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "moft/chat/evaluator.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"
#include "moft/chat/printing.h"

namespace moft::jinja {

namespace {

using Kind = Statement::Kind;

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

class Interpreter {
 public:
  explicit Interpreter(Run& run) : run_(run), evaluator_(run) {}

  MarkedText run(const TemplateProgram& program) {
    return captured([&] {
      execute(program.body, open(program.scope, nullptr));
      return Flow::kNext;
    });
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

  // What `write` writes, instead of the output at hand. `flow` takes how it
  // ended.
  template <typename Write>
  MarkedText captured(const Write& write, Flow* flow = nullptr) {
    Output output(run_.budget());
    Output* const before = std::exchange(output_, &output);
    try {
      const Flow end = write();
      if (flow != nullptr) *flow = end;
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
    const Level level(run_.budget());
    run_.budget().step();
    run_.at(node.line);
    switch (node.kind) {
      case Kind::kText:
        output_->append(*node.text.text());
        run_.budget().copies(node.text.text()->size());
        return Flow::kNext;
      case Kind::kPrint:
        for (const ExpressionPtr& expression : node.expressions)
          print(evaluator_.evaluate(*expression, frame));
        return Flow::kNext;
      case Kind::kIf:
        return execute_if(node, frame);
      case Kind::kFor:
        return execute_for(node, frame);
      case Kind::kSet:
        return execute_set(node, frame);
      case Kind::kSetBlock:
        return execute_set_block(node, frame);
      case Kind::kMacro:
        assign(node.target, macro_value(*node.macro, frame), frame);
        return Flow::kNext;
      case Kind::kCallBlock:
        print(evaluator_.call_with(
            *node.expressions[0],
            frame,
            "caller",
            macro_value(*node.macro, frame)));
        return Flow::kNext;
      case Kind::kGeneration:
        return execute_generation(node, frame);
      case Kind::kFilter:
        return execute_filter(node, frame);
      case Kind::kWith:
        return execute_with(node, frame);
      case Kind::kBreak:
        return Flow::kBreak;
      case Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  void print(const Value& value) {
    if (const MarkedText* text = value.text()) {
      run_.budget().copies(text->size());
      return output_->append(*text);
    }
    const MarkedText text = printed(value, run_.budget());
    run_.budget().copies(text.size());
    output_->append(text);
  }

  Flow execute_if(const Statement& node, const FramePtr& frame) {
    for (std::size_t i = 0; i < node.expressions.size(); ++i) {
      if (evaluator_.is_true(*node.expressions[i], frame))
        return execute(node.bodies[i], frame);
    }
    const bool has_else = node.bodies.size() > node.expressions.size();
    return has_else ? execute(node.bodies.back(), frame) : Flow::kNext;
  }

  Flow execute_for(const Statement& node, const FramePtr& frame) {
    const Value values = evaluator_.evaluate(*node.expressions[0], frame);
    std::function<bool(const Value&)> filter;
    if (node.test != nullptr) {
      filter = [this, &node, frame](const Value& item) {
        const FramePtr inner = open(node.test_scope, frame);
        assign(node.test_target, item, inner);
        return evaluator_.is_true(*node.test, inner);
      };
    }
    run_.at(node.line);
    const auto loop =
        std::make_shared<Loop>(values, std::move(filter), run_.budget());
    // jinja2 runs `else` unless some turn came to its end.
    bool runs_else = node.bodies.size() > 1;
    Flow left = Flow::kNext;
    for (Value item; left != Flow::kBreak && loop->advance(item);) {
      const FramePtr inner = open(node.scopes[0], frame);
      inner->slots[static_cast<std::size_t>(node.loop_slot)] = Value(loop);
      assign(node.target, item, inner);
      left = execute(node.bodies[0], inner);
      if (left == Flow::kNext) runs_else = false;
      run_.at(node.line);
    }
    loop->finish();
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
    variable.name_space()->put(target.attribute, value);
    run_.budget().step();
  }

  // `ns.x` in a target needs a namespace before anything is evaluated.
  void need_namespaces(const Target& target, const FramePtr& frame) {
    for (const Target& part : target.parts)
      need_namespaces(part, frame);
    if (target.attribute.empty()) return;
    if (variable_at(frame, target.ref).name_space() == nullptr) {
      fault(
          "'{}' is not a namespace; only attributes of namespaces can be set",
          target.name);
    }
  }

  Flow execute_set(const Statement& node, const FramePtr& frame) {
    need_namespaces(node.target, frame);
    const Value value = evaluator_.evaluate(*node.expressions[0], frame);
    run_.at(node.line);
    need_namespaces(node.target, frame);
    assign(node.target, value, frame);
    return Flow::kNext;
  }

  Flow execute_set_block(const Statement& node, const FramePtr& frame) {
    const FramePtr inner = open(node.scopes[0], frame);
    Flow flow = Flow::kNext;
    Value value = run_.text(
        captured([&] { return execute(node.bodies[0], inner); }, &flow));
    if (flow != Flow::kNext) return flow;
    if (node.filter != nullptr)
      value = evaluator_.filter_block(*node.filter, inner, value);
    run_.at(node.line);
    need_namespaces(node.target, frame);
    assign(node.target, value, frame);
    return Flow::kNext;
  }

  Flow execute_filter(const Statement& node, const FramePtr& frame) {
    const FramePtr inner = open(node.scopes[0], frame);
    Flow flow = Flow::kNext;
    const Value text = run_.text(
        captured([&] { return execute(node.bodies[0], inner); }, &flow));
    if (flow != Flow::kNext) return flow;
    print(evaluator_.filter_block(*node.filter, inner, text));
    return Flow::kNext;
  }

  Flow execute_generation(const Statement& node, const FramePtr& frame) {
    const std::size_t start = output_->text.size();
    execute(node.bodies[0], open(node.scopes[0], frame));
    output_->text.mark_from(start, kInGeneration);
    return Flow::kNext;
  }

  Flow execute_with(const Statement& node, const FramePtr& frame) {
    const FramePtr inner = open(node.scopes[0], frame);
    for (std::size_t i = 0; i < node.targets.size(); ++i) {
      assign(
          node.targets[i],
          evaluator_.evaluate(*node.expressions[i], frame),
          inner);
    }
    return execute(node.bodies[0], inner);
  }

  Value macro_value(const MacroDefinition& macro, const FramePtr& frame) {
    run_.capture(frame);
    return run_.function(
        macro.name, [this, &macro, frame](Run&, Arguments arguments) {
          return call_macro(macro, frame, std::move(arguments));
        });
  }

  Value call_macro(
      const MacroDefinition& macro, const FramePtr& outer, Arguments given) {
    const FramePtr frame = open(macro.scope, outer);
    fill_parameters(macro, *frame, given);
    const std::size_t count = macro.parameters.size();
    const std::size_t first_default = count - macro.defaults.size();
    for (std::size_t i = 0; i < count; ++i) {
      Value& value = frame->slots[i];
      if (!value.is_missing()) continue;
      value =
          i < first_default
              ? Value::undefined(fmt::format(
                    "parameter '{}' was not provided", macro.parameters[i]))
              : evaluator_.evaluate(*macro.defaults[i - first_default], frame);
    }
    return run_.text(captured([&] { return execute(macro.body, frame); }));
  }

  void fill_parameters(
      const MacroDefinition& macro, Frame& frame, Arguments& given) {
    auto& positional = given.positional;
    const std::size_t count = macro.parameters.size();
    const std::size_t filled = std::min(count, positional.size());
    const auto take_named = [&](const std::string& name) {
      for (auto each = given.named.begin(); each != given.named.end(); ++each) {
        if (each->first != name) continue;
        Value value = std::move(each->second);
        given.named.erase(each);
        return value;
      }
      return Value();
    };
    for (std::size_t i = 0; i < count; ++i)
      frame.slots[i] =
          i < filled ? positional[i] : take_named(macro.parameters[i]);
    if (macro.caller_slot >= 0) {
      Value caller = take_named("caller");
      if (caller.is_missing()) caller = Value::undefined("No caller defined");
      frame.slots[static_cast<std::size_t>(macro.caller_slot)] = caller;
    }
    if (macro.kwargs_slot >= 0) {
      auto rest = std::make_shared<Dict>(run_.budget());
      for (auto& [name, value] : given.named)
        rest->put(Value::constant(name), value);
      frame.slots[static_cast<std::size_t>(macro.kwargs_slot)] =
          std::shared_ptr<const Dict>(std::move(rest));
    } else if (!given.named.empty()) {
      fault(
          "the macro '{}' has no argument '{}'",
          macro.name,
          given.named[0].first);
    }
    std::vector<Value> more(
        positional.begin() + static_cast<std::ptrdiff_t>(filled),
        positional.end());
    if (macro.varargs_slot >= 0) {
      frame.slots[static_cast<std::size_t>(macro.varargs_slot)] =
          run_.list(std::move(more), Flavour::kTuple);
    } else if (!more.empty()) {
      fault("the macro '{}' takes {} arguments", macro.name, count);
    }
  }

  Run& run_;
  Evaluator evaluator_;
  Output* output_ = nullptr;
};

}  // namespace

MarkedText run_program(const TemplateProgram& program, Run& run) {
  return Interpreter(run).run(program);
}

}  // namespace moft::jinja
