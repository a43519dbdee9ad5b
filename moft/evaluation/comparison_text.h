// A comparison of methods as text: the page's section, Markdown and CSV.
//
// Rivals of an equal ledger come first; the others follow in a block of their
// own, "References". Numbers in the CSV read back to the same bits.
//
// Thread safety: pure.
#pragma once

#include <string>

#include "moft/evaluation/front.h"

namespace moft {

// All are empty without a comparison.
std::string comparison_html(const Report& report);
std::string comparison_markdown(const Report& report);

// One line per figure: method, rival (empty for a method's own figure), figure,
// weights and alpha (for a value at one weighting), mean, lower and upper
// bound, each seed's own (separated by spaces), and whether the ledgers are
// equal.
std::string comparison_csv(const Report& report);

}  // namespace moft
