// Methods of texts, as Python's str has them.
#pragma once

#include <cstdint>
#include <string>

#include "moft/chat/run.h"
#include "moft/chat/text_functions.h"
#include "moft/chat/value.h"

namespace moft::jinja {

// text.name, bound to the text: capitalize center count endswith find format
// index join ljust lower lstrip partition removeprefix removesuffix replace
// rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip
// title upper zfill and the questions of text_cases.h. Missing for a name that
// Python does not have, Fault for its other methods. REQUIRES a text.
Value text_method(Run& run, const Value& text, const std::string& name);

// text.replace(old, with, limit), paid for.
Value replaced(
    Run& run,
    const MarkedText& text,
    const MarkedText& old,
    const MarkedText& with,
    std::int64_t limit);

// str.center and its siblings: `side` is filled up to `width` characters.
MarkedText filled(
    Run& run,
    const MarkedText& text,
    std::int64_t width,
    const MarkedText& fill,
    Side side);

}  // namespace moft::jinja
