// Runs a program and gathers the text that it writes.
#pragma once

#include "moft/chat/marked_text.h"
#include "moft/chat/run.h"
#include "moft/chat/template_nodes.h"

namespace moft::jinja {

// The variables of `run` are the template's. Fault with the line at hand in
// run.line().
MarkedText run_program(const TemplateProgram& program, Run& run);

}  // namespace moft::jinja
