// Values put into texts: '%s' % x, '{}'.format(x), and escaped HTML.
#pragma once

#include "moft/chat/run.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// & < > ' " as their entities.
MarkedText escaped(const MarkedText& text);
// What is put into a text of the filter safe (or another): str(value), escaped
// unless the value is safe, too.
MarkedText inserted_in(bool is_safe, const Value& value, Budget& budget);

// format % values, for %s, %d, %f and %%, with "-", "0", a width and digits;
// `values` is a tuple or one value. Fault for other conversions.
Value percent_format(Run& run, const Value& format, const Value& values);

// format.format(..), for {}, {0} and {name}, with "<", ">", "0", a width and
// digits after a colon, of texts, d and f. Fault for others.
Value brace_format(Run& run, const Value& format, const Arguments& arguments);

}  // namespace moft::jinja
