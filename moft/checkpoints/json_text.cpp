// JSON headers of hostile files.
#include "moft/checkpoints/json_text.h"

#include <string>

#include "moft/core/errors.h"
#include "moft/core/json.h"

namespace moft {
namespace {

constexpr int kDeepest = 64;

}  // namespace

nlohmann::json parse_json_object(
    std::string_view text, std::string_view where) {
  nlohmann::json value = parse_json(text, std::string(where), kDeepest);
  if (!value.is_object())
    throw_caller_error("{}: the JSON is not an object", where);
  return value;
}

}  // namespace moft
