// Oracles of docs/paper.md's row 69: ROUGE as Google's rouge-score computes it,
// stems as NLTK's Porter stemmer does.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

void verify_rouge(OracleBook& book);

}  // namespace moft::exact
