// The functions that every chat template may call: range, dict, namespace,
// and transformers' raise_exception and strftime_now. jinja2's lipsum, cycler
// and joiner are refused when they are called.
#pragma once

#include "moft/chat/run.h"

namespace moft::jinja {

void add_globals(Run& run);

}  // namespace moft::jinja
