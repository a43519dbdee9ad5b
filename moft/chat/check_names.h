// Filters and tests that this interpreter lacks, refused before a template
// runs.
#pragma once

#include "moft/chat/template_nodes.h"

namespace moft::jinja {

// Fault for the first filter or test without an entry in its table. Those in
// an `if`, as statement or in an expression, are left to the run, as in
// jinja2: a template may look whether it needs them.
void check_names(const Block& block);

}  // namespace moft::jinja
