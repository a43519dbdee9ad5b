// Scopes: first what each one sets and reads, then the place of every name.
#include "moft/chat/scopes.h"

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "moft/chat/fault.h"
#include "moft/chat/symbols.h"

namespace moft::jinja {

namespace {

using Kind = Statement::Kind;

// Calls visit(name, line) for every variable that an expression reads.
template <typename Node, typename Visit>
void visit_names(Node& expression, const Visit& visit) {
  if (expression.kind == Expression::Kind::kName) visit(expression);
  for (auto& operand : expression.operands)
    if (operand != nullptr) visit_names(*operand, visit);
  for (auto& keyword : expression.keywords)
    visit_names(*keyword.value, visit);
  if (expression.more_operands != nullptr)
    visit_names(*expression.more_operands, visit);
  if (expression.more_keywords != nullptr)
    visit_names(*expression.more_keywords, visit);
}

void note_reads(const Expression* expression, Symbols& symbols) {
  if (expression == nullptr) return;
  visit_names(
      *expression, [&](const Expression& name) { symbols.load(name.name); });
}

void note_target(const Target& target, Symbols& symbols, bool as_parameter) {
  for (const Target& part : target.parts)
    note_target(part, symbols, as_parameter);
  if (target.name.empty()) return;
  if (!target.attribute.empty()) {
    symbols.load(target.name);
  } else if (as_parameter) {
    symbols.declare(target.name);
  } else {
    symbols.store(target.name);
  }
}

void note_block(const Block& block, Symbols& symbols);

// An if: its branches do not see what the others set.
void note_if(const Statement& node, Symbols& symbols) {
  note_reads(node.expressions[0].get(), symbols);
  const std::size_t tests = node.expressions.size();
  symbols.branches({
      [&] { note_block(node.bodies[0], symbols); },
      [&] {
        for (std::size_t i = 1; i < tests; ++i) {
          note_reads(node.expressions[i].get(), symbols);
          symbols.branches({[&] { note_block(node.bodies[i], symbols); }});
        }
      },
      [&] {
        if (node.bodies.size() > tests) note_block(node.bodies[tests], symbols);
      },
  });
}

// What a statement sets and reads in its own scope; the scopes
// that it opens are looked at on their own.
void note_statement(const Statement& node, Symbols& symbols) {
  switch (node.kind) {
    case Kind::kIf:
      return note_if(node, symbols);
    case Kind::kMacro:
      return symbols.store(node.target.name);
    case Kind::kFilter:
      return note_reads(node.filter.get(), symbols);
    default:
      break;
  }
  for (const ExpressionPtr& expression : node.expressions)
    note_reads(expression.get(), symbols);
  if (node.kind == Kind::kSet || node.kind == Kind::kSetBlock)
    note_target(node.target, symbols, false);
}

void note_block(const Block& block, Symbols& symbols) {
  for (const auto& statement : block)
    note_statement(*statement, symbols);
}

// Whether a macro's body reads `name` (caller, varargs, kwargs) before it
// sets it, in the order of jinja2's search.
class UseSearch {
 public:
  explicit UseSearch(std::string name) : name_(std::move(name)) {}

  bool uses(const Block& body) {
    visit(body);
    return found_;
  }

 private:
  void set(const std::string& name) {
    if (!found_ && name == name_) hidden_ = true;
  }
  void visit(const Target& target) {
    for (const Target& part : target.parts)
      visit(part);
    if (target.attribute.empty()) set(target.name);
  }
  void visit(const Expression* expression) {
    if (expression == nullptr) return;
    visit_names(*expression, [&](const Expression& name) {
      if (!hidden_ && name.name == name_) found_ = true;
    });
  }
  void visit(const MacroDefinition& macro) {
    for (const std::string& parameter : macro.parameters)
      set(parameter);
    for (const ExpressionPtr& each : macro.defaults)
      visit(each.get());
    visit(macro.body);
  }
  void visit(const Block& block) {
    for (const auto& statement : block)
      visit(*statement);
  }
  void visit(const Statement& node) {
    if (node.kind == Kind::kMacro) return visit(*node.macro);
    visit(node.target);
    for (const Target& target : node.targets)
      visit(target);
    for (const ExpressionPtr& expression : node.expressions)
      visit(expression.get());
    if (node.macro != nullptr) visit(*node.macro);
    for (const Block& body : node.bodies)
      visit(body);
    visit(node.filter.get());
    visit(node.test.get());
  }

  const std::string name_;
  bool found_ = false;
  bool hidden_ = false;
};

// The second walk: places of names, scope by scope.
class Placer {
 public:
  void place_program(TemplateProgram& program) {
    Symbols symbols(nullptr, program.scope);
    note_block(program.body, symbols);
    place(program.body, symbols);
    symbols.finish();
  }

 private:
  static void place(Expression* expression, Symbols& symbols) {
    if (expression == nullptr) return;
    visit_names(*expression, [&](Expression& name) {
      name.ref = symbols.place_of(name.name);
    });
  }

  void place(Target& target, Symbols& symbols) const {
    for (Target& part : target.parts)
      place(part, symbols);
    if (target.name.empty()) return;
    if (loops_ > 0 && target.name == "loop" && target.attribute.empty())
      fault_at(target.line, "'loop' cannot be set inside of a loop");
    target.ref = symbols.place_of(target.name);
  }

  void place(Block& block, Symbols& symbols) {
    for (const auto& statement : block)
      place(*statement, symbols);
  }

  // A block as a scope of its own; `prepare` declares its parameters.
  template <typename Prepare>
  void place_scope(
      Block& body, Scope& scope, Symbols& outer, const Prepare& prepare) {
    Symbols symbols(&outer, scope);
    prepare(symbols);
    note_block(body, symbols);
    place(body, symbols);
    symbols.finish();
  }

  void place(Statement& node, Symbols& symbols) {
    const auto nothing = [](Symbols&) {};
    switch (node.kind) {
      case Kind::kFor:
        return place_for(node, symbols);
      case Kind::kMacro:
        place(node.target, symbols);
        return place_macro(*node.macro, symbols);
      case Kind::kCallBlock:
        place(node.expressions[0].get(), symbols);
        return place_macro(*node.macro, symbols);
      case Kind::kGeneration:
        node.scopes.resize(1);
        return place_scope(node.bodies[0], node.scopes[0], symbols, nothing);
      case Kind::kFilter:
      case Kind::kSetBlock:
        if (node.kind == Kind::kSetBlock) place(node.target, symbols);
        node.scopes.resize(1);
        return place_scope(
            node.bodies[0], node.scopes[0], symbols, [&](Symbols& inner) {
              note_reads(node.filter.get(), inner);
              place(node.filter.get(), inner);
            });
      case Kind::kWith:
        return place_with(node, symbols);
      default:
        break;
    }
    for (const ExpressionPtr& expression : node.expressions)
      place(expression.get(), symbols);
    if (node.kind == Kind::kSet) place(node.target, symbols);
    for (Block& body : node.bodies)
      place(body, symbols);
  }

  void place_for(Statement& node, Symbols& symbols) {
    place(node.expressions[0].get(), symbols);
    ++loops_;
    node.scopes.resize(node.bodies.size());
    place_scope(node.bodies[0], node.scopes[0], symbols, [&](Symbols& inner) {
      node.loop_slot = inner.declare("loop");
      note_target(node.target, inner, true);
      place(node.target, inner);
    });
    if (node.bodies.size() > 1)
      place_scope(node.bodies[1], node.scopes[1], symbols, [](Symbols&) {});
    if (node.test != nullptr) {
      Block none;
      place_scope(none, node.test_scope, symbols, [&](Symbols& inner) {
        note_target(node.test_target, inner, true);
        note_reads(node.test.get(), inner);
        place(node.test_target, inner);
        place(node.test.get(), inner);
      });
    }
    --loops_;
  }

  void place_with(Statement& node, Symbols& symbols) {
    for (const ExpressionPtr& expression : node.expressions)
      place(expression.get(), symbols);
    node.scopes.resize(1);
    place_scope(node.bodies[0], node.scopes[0], symbols, [&](Symbols& inner) {
      for (Target& target : node.targets) {
        note_target(target, inner, true);
        place(target, inner);
      }
    });
  }

  void place_macro(MacroDefinition& macro, Symbols& symbols) {
    const auto has = [&](const char* name) {
      for (const std::string& parameter : macro.parameters)
        if (parameter == name) return true;
      return false;
    };
    macro.has_caller_parameter = has("caller");
    place_scope(macro.body, macro.scope, symbols, [&](Symbols& inner) {
      for (const std::string& parameter : macro.parameters)
        inner.declare(parameter);
      const auto extra = [&](const char* name) {
        if (has(name) || !UseSearch(name).uses(macro.body)) return -1;
        return inner.declare(name);
      };
      macro.caller_slot = extra("caller");
      macro.kwargs_slot = extra("kwargs");
      macro.varargs_slot = extra("varargs");
      for (const ExpressionPtr& each : macro.defaults) {
        note_reads(each.get(), inner);
        place(each.get(), inner);
      }
    });
  }

  int loops_ = 0;
};

}  // namespace

void fix_scopes(TemplateProgram& program) {
  Placer().place_program(program);
}

}  // namespace moft::jinja
