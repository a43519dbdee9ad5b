// The fields of examples as columns: one list for each name, with an entry per
// example, as programs and Python functions take them.
//
// Thread safety: pure functions.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "moft/data/example.h"

namespace moft {

// The fields as they are in the files: texts, numbers, lists and
// objects. null where an example lacks the field. Examples are never null.
nlohmann::json columns_of(const std::vector<const Example*>& examples);

}  // namespace moft
