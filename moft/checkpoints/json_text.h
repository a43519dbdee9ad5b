// JSON of foreign files whose top level is an object.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace moft {

// As parse_json (core/json.h), to 64 levels; CallerError for anything but an
// object. `where` opens the messages.
nlohmann::json parse_json_object(std::string_view text, std::string_view where);

}  // namespace moft
