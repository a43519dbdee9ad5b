// The report as one self-contained HTML page: inline style and SVG, no script,
// no external resource. Light and dark follow the reader's setting; every
// picture comes with a table with its numbers. All text is escaped.
//
// Thread safety: pure.
#pragma once

#include <string>

#include "moft/evaluation/front.h"

namespace moft {

std::string report_page(const Report& report);

}  // namespace moft
