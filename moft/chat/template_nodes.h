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
    kFilter,       // operands[0] | name ( the rest ), keywords
    kTest,         // operands[0] is name
    kNot,          // operands[0]
    kNegative,     // operands[0]
    kAnd,          // operands[0], operands[1]
    kOr,           // operands[0], operands[1]
    kBinary,       // name: + - * % == != < > <= >= in, not in
    kConcatenate,  // operands
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
};

// Where a value goes: a name, an attribute of a namespace, or several names.
struct Target {
  std::string name = {};       // of the variable; empty: several
  std::string attribute = {};  // of a namespace
  SlotRef ref = {};
  std::vector<Target> parts = {};
  int line = 0;
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

struct Statement {
  enum class Kind {
    kText,        // text
    kPrint,       // expressions[0]
    kIf,          // expressions: the tests; bodies: one each, and else's
    kFor,         // target, expressions[0], test; bodies: turn, else
    kSet,         // target, expressions[0]
    kSetBlock,    // target, bodies[0]
    kMacro,       // target, parameters, expressions: defaults; bodies[0]
    kGeneration,  // bodies[0]
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
  // for .. if: in a scope of its own, with a target of its own.
  ExpressionPtr test = nullptr;
  Target test_target = {};
  Scope test_scope = {};
  int loop_slot = -1;  // of `loop`, in the scope of the turn
  // A macro's parameters are the first variables of its scope; the defaults
  // are those of the last ones.
  std::vector<std::string> parameters = {};
};

}  // namespace moft::jinja

namespace moft {

struct TemplateProgram {
  jinja::Block body;
  jinja::Scope scope;
  bool marks_generation = false;
};

}  // namespace moft
