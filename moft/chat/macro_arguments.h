// The arguments of a macro's call.
#pragma once

#include "moft/chat/run.h"
#include "moft/chat/template_nodes.h"

namespace moft::jinja {

// Moves what a call gives into the variables of a macro's scope: its
// parameters, and caller, kwargs and varargs where the macro uses them.
// Parameters that are not given stay Missing. Fault for arguments that the
// macro does not take.
void fill_parameters(
    Run& run, const Statement& macro, Frame& frame, Arguments given);

}  // namespace moft::jinja
