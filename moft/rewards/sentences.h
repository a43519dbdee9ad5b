// The sentences of an answer, for rewards that judge them one by one.
//
// A sentence ends at a line end, and at . ! ? or ideographic full stops, with
// the quotes and brackets that close there, before white space. A full stop
// ends none after an initial ("J. Smith"), after a common English abbreviation
// ("Dr.", "e.g.") and before a small letter.
//
// Thread safety: pure function.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moft {

// In order, without the white space around them; none is empty.
std::vector<std::string> split_sentences(std::string_view text);

}  // namespace moft
