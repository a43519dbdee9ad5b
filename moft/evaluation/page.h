// The report as one self-contained HTML page: inline style and SVG, no script,
// no external resource. Light and dark follow the reader's setting; every
// picture comes with a table with its numbers. All text is escaped.
//
// Thread safety: pure.
#pragma once

#include <string>
#include <string_view>

#include "moft/evaluation/front.h"

namespace moft {

std::string report_page(const Report& report);

// Its style sheet, page.css, beside those of the pictures (plot.h).
std::string_view page_style();

}  // namespace moft
