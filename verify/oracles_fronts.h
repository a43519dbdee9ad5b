// Oracles of docs/paper.md's rows 69, 103, 131 and 132: hypervolume, indicators
// of fronts, the rule of pairwise judging; ROUGE as Google's rouge-score
// computes it, stems as NLTK's Porter stemmer does.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_fronts(OracleBook& book);

}  // namespace moft::exact
