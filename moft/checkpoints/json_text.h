// JSON of foreign files, read strictly.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace moft {

// A JSON object in which no object names a key twice and nothing nests deeper
// than 64 levels. `where` opens the message of the CallerError thrown
// otherwise.
nlohmann::json parse_json_object(std::string_view text, std::string_view where);

}  // namespace moft
