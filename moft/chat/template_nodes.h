// A parsed template: statements and expressions, each with its line, and the
// places of the variables.
//
// Every part of a template with variables of its own (its whole, the body of a
// for, a macro, a block) is a scope. Which variable of which scope a name
// means is fixed before the template runs, by jinja2's rules (scopes.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "moft/chat/value.h"

namespace moft::jinja {

// A variable: `up` scopes outside the one at hand, at `slot` of it.
struct SlotRef {
  int up = -1;  // -1: not yet fixed
  int slot = 0;
};

struct Slot {
  enum class Load {
    kParameter,  // filled by whoever opens the scope
    kContext,    // the template's variable of that name (messages, range, ..)
    kOuter,      // a copy of a variable of an outer scope
    kMissing,    // nothing until it is set
  };
  std::string name;
  Load load = Load::kMissing;
  SlotRef outer;
};

struct Scope {
  std::vector<Slot> slots;
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Keyword {
  std::string name;
  ExpressionPtr value;
};

struct Expression {
  enum class Kind {
    kConstant,     // value
    kName,         // name, ref
    kList,         // operands
    kTuple,        // operands
    kDict,         // operands: key, value, key, value, ..
    kAttribute,    // operands[0] . name
    kItem,         // operands[0] [ operands[1] ]
    kSlice,        // operands[0] [ operands 1 : 2 : 3 ], each may be null
    kCall,         // operands[0] ( the rest ), keywords
    kFilter,       // operands[0] (null: the block's text) | name ( the rest )
    kTest,         // operands[0] is name ( the rest )
    kNot,          // operands[0]
    kNegative,     // operands[0]
    kPositive,     // operands[0]
    kAnd,          // operands[0], operands[1]
    kOr,           // operands[0], operands[1]
    kBinary,       // name: + - * / // % **
    kConcatenate,  // operands
    kCompare,      // operands; operators[i] precedes operands[i + 1]
    kConditional,  // operands: test, then, else (may be null)
  };
  Kind kind = Kind::kConstant;
  int line = 0;
  int depth = 1;
  std::string name = {};
  Value value = {};
  SlotRef ref = {};
  std::vector<ExpressionPtr> operands = {};
  std::vector<Keyword> keywords = {};
  std::vector<std::string> operators = {};
  // *list and **object at the end of a call; null if none.
  ExpressionPtr more_operands = nullptr;
  ExpressionPtr more_keywords = nullptr;
};

// Where a value goes: a name, an attribute of a namespace, or several.
struct Target {
  std::string name = {};       // of the variable; empty: a tuple
  std::string attribute = {};  // of a namespace
  SlotRef ref = {};
  std::vector<Target> parts = {};
  int line = 0;
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

// A macro, or the block that {% call %} hands over.
struct MacroDefinition {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Block body;
  Scope scope;  // the parameters first
  // Their slots, if the body uses them; else -1.
  int caller_slot = -1;
  int varargs_slot = -1;
  int kwargs_slot = -1;
  bool has_caller_parameter = false;
  int line = 0;
};

struct Statement {
  enum class Kind {
    kText,        // text
    kPrint,       // expressions
    kIf,          // expressions: the tests; bodies: one each, and else's
    kFor,         // target, expressions[0], test; bodies: turn, else
    kSet,         // target, expressions[0]
    kSetBlock,    // target, bodies[0], filter
    kMacro,       // macro, target
    kCallBlock,   // macro, expressions[0]
    kGeneration,  // bodies[0]
    kFilter,      // filter, bodies[0]
    kWith,        // targets, expressions, bodies[0]
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kText;
  int line = 0;
  Value text = {};
  std::vector<ExpressionPtr> expressions = {};
  std::vector<Block> bodies = {};
  // One for each body that is a scope, in their order.
  std::vector<Scope> scopes = {};
  Target target = {};
  std::vector<Target> targets = {};
  ExpressionPtr filter = nullptr;
  // for .. if: in a scope of its own, with a target of its own.
  ExpressionPtr test = nullptr;
  Target test_target = {};
  Scope test_scope = {};
  int loop_slot = -1;  // of `loop`, in the scope of the turn
  std::unique_ptr<MacroDefinition> macro = nullptr;
};

}  // namespace moft::jinja

namespace moft {

struct TemplateProgram {
  jinja::Block body;
  jinja::Scope scope;
  bool marks_generation = false;
};

}  // namespace moft
