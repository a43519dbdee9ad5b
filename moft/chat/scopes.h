// Which variable a name means: jinja2's rules, fixed before a template runs.
//
// A name that a scope sets is a variable of that scope from its start. It
// starts as a copy of the outer variable of that name if there is one that the
// outer scope mentions; else, if it is set only inside an `if` or was read
// before, as the template's variable; else with nothing. So a `set` inside a
// for, macro or block is forgotten at its end, and an `if` has no scope.
#pragma once

#include "moft/chat/template_nodes.h"

namespace moft::jinja {

// Fills the scopes and references of a parsed program. Fault with a line for
// an assignment to `loop` inside of a loop, for the names that a macro's body
// is given (caller, varargs, kwargs), and for filters and tests that are not
// supported; those in an `if`, as statement or in an expression, are left to
// the run, as in jinja2: a template may look whether it needs them.
void fix_scopes(TemplateProgram& program);

}  // namespace moft::jinja
