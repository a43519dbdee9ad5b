// JSON from files and requests that nobody has checked.
//
// nlohmann's own parser lets the last of two equal keys win and has no limit
// on nesting; this one refuses both.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace moft {

inline constexpr int kMaxJsonDepth = 128;

// One JSON value and nothing after it. Throws CallerError
// "{place}: not valid JSON at line 3, column 7" for malformed text
// (invalid UTF-8 and NaN included), "{place}: duplicate key 'a' .." and for
// nesting over `max_depth`.
nlohmann::json parse_json(
    std::string_view text,
    const std::string& place,
    int max_depth = kMaxJsonDepth);
// The same with the keys of objects in the order of the text.
nlohmann::ordered_json parse_ordered_json(
    std::string_view text,
    const std::string& place,
    int max_depth = kMaxJsonDepth);

// On one line. Malformed UTF-8 in a text becomes U+FFFD instead of an error:
// what a model generated must never stop a log.
std::string dump_json(const nlohmann::json& json);
std::string dump_json(const nlohmann::ordered_json& json);

}  // namespace moft
