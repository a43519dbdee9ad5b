// What a judge reads: a wording with slots, filled with texts that are data.
//
// Every line of a text that goes into a slot begins with "> ", whatever the
// text holds, so that none of its lines can pass for a line of the wording, and
// a slot's name inside a text is not a slot. Words that ask the judge for
// something remain words in the quotation; the wording says that they are.
//
// Thread safety: pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

// Each line behind "> ", joined by line feeds; an empty text is "> ". Lines end
// where any Unicode newline does (CR, LF, CR LF, VT, FF, NEL, U+2028, U+2029).
// Malformed UTF-8 becomes U+FFFD.
std::string quoted_lines(std::string_view text);

// The wording with each {name} of `texts` replaced by its quoted_lines(). Other
// braces stay as they are.
std::string fill_slots(
    std::string_view wording, const std::map<std::string, std::string>& texts);

// CallerError unless the wording has each of these slots once. `place` opens
// the message.
void check_slots(
    std::string_view wording,
    const std::vector<std::string>& slots,
    const std::string& place);

}  // namespace moft
