#include "moft/checkpoints/json_text.h"

#include <set>
#include <string>
#include <vector>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr int kDeepest = 64;

// nlohmann keeps one of two equal keys in silence; two readers that keep
// different ones would see different files.
class Strict {
 public:
  explicit Strict(std::string_view where) : where_(where) {}

  bool operator()(int depth, json::parse_event_t event, json& value) {
    if (depth > kDeepest)
      throw_caller_error(
          "{}: the JSON nests deeper than {} levels", where_, kDeepest);
    if (event == json::parse_event_t::object_start) {
      keys_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys_.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second)
        throw_caller_error(
            "{}: duplicate name {} in the JSON", where_, quote_text(key));
    }
    return true;
  }

 private:
  std::string_view where_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

json parse_json_object(std::string_view text, std::string_view where) {
  json value;
  try {
    value = json::parse(text.begin(), text.end(), Strict(where));
  } catch (const json::parse_error& error) {
    // Its own text quotes the file, control characters and all.
    throw_caller_error(
        "{}: is not valid JSON (error {} at byte {})",
        where,
        error.id,
        error.byte);
  } catch (const json::exception& error) {
    throw_caller_error("{}: is not valid JSON (error {})", where, error.id);
  }
  if (!value.is_object())
    throw_caller_error("{}: the JSON is not an object", where);
  return value;
}

}  // namespace moft
