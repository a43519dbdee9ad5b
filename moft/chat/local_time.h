// strftime of the local time, as Python's datetime.now().strftime in the
// C locale.
#pragma once

#include <chrono>

#include "moft/chat/budget.h"
#include "moft/chat/marked_text.h"

namespace moft::jinja {

// Fault for a conversion that C does not have.
MarkedText local_time(
    const MarkedText& format,
    std::chrono::system_clock::time_point now,
    Budget& budget);

}  // namespace moft::jinja
