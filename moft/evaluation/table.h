// A report for the terminal: an aligned table and answers side by side.
//
// Width is counted in columns of a terminal (combining marks 0, wide East
// Asian characters and emoji 2). Control characters, which could drive the
// terminal, are shown as U+FFFD.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

// The text with U+FFFD for what could drive a terminal.
std::string printable(std::string_view text);

// Rows of cells in aligned columns, the first row above a rule. REQUIRES rows
// of equal length, at least one.
std::string aligned_table(const std::vector<std::vector<std::string>>& rows);

// One line per weighting in the order of the knob, then the reference: each
// reward as mean [low, high], KL, value and the reference's value, words,
// distinct, finished. Ends with a newline.
std::string results_table(const Report& report);

// The prompt, then the answers under every weighting in columns as wide as
// `width` allows (at least 20 columns each; further weightings follow below).
std::string sample_block(
    const Report& report, const SampleText& sample, std::size_t width = 100);

}  // namespace moft
