// Texts with places for values: the operator % and the method format.
#pragma once

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// format % values: %s %r %d %i %x %X %f %c %%, with flags, width and precision,
// and %(name)s of an object. Fault for other conversions.
Value percent_format(Run& run, const Value& format, const Value& values);

// format.format(..): {}, {0}, {name}, {0.attribute[key]}, {!r} and the format
// specifications [[fill]align][0][width][,][.precision][s|d|x|X|f|%].
Value brace_format(Run& run, const Value& format, Arguments arguments);

}  // namespace moft::jinja
