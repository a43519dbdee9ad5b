// Figure 19 of CLP (arXiv 2407.15762): the fronts of the counterexample.
#pragma once

#include <string>

namespace moft::exact {

// A standalone SVG: expected rewards of a soup and of copies trained together,
// 20,000 exact-gradient steps each, at eleven weightings, and the three
// outputs. Takes about a second. Thread safety: pure.
std::string counterexample_svg();

}  // namespace moft::exact
