// Strict JSON.
#include "moft/core/json.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

namespace {

// "line 3, column 7" of a byte offset, both counted from 1.
std::string position_of(std::string_view text, std::size_t offset) {
  std::string_view before = text.substr(0, std::min(offset, text.size()));
  auto lines = std::count(before.begin(), before.end(), '\n');
  std::size_t line_start = before.rfind('\n');
  std::size_t column = line_start == std::string_view::npos
                           ? before.size()
                           : before.size() - line_start - 1;
  return fmt::format(
      "line {}, column {}", lines + 1, std::max<std::size_t>(column, 1));
}

// Watches the parser's events for what it does not refuse itself.
template <typename Json>
class Watcher {
 public:
  Watcher(const std::string& place, int max_depth)
      : place_(place), max_depth_(max_depth) {}

  bool operator()(int depth, typename Json::parse_event_t event, Json& parsed) {
    using Event = typename Json::parse_event_t;
    bool opens = event == Event::object_start || event == Event::array_start;
    if (opens && depth >= max_depth_) {
      throw_caller_error(
          "{}: JSON is nested over {} levels", place_, max_depth_);
    }
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key)
      add_key(parsed.template get_ref<const std::string&>());
    return true;
  }

 private:
  void add_key(const std::string& key) {
    if (keys_.back().insert(key).second) return;
    throw_caller_error(
        "{}: duplicate key {} in one object; keep one",
        place_,
        quote_text(key));
  }

  const std::string& place_;
  int max_depth_;
  std::vector<std::set<std::string>> keys_;
};

template <typename Json>
Json parse(std::string_view text, const std::string& place, int max_depth) {
  Watcher<Json> watcher(place, max_depth);
  try {
    return Json::parse(text.begin(), text.end(), std::ref(watcher));
  } catch (const typename Json::parse_error& error) {
    throw_caller_error(
        "{}: not valid JSON at {}", place, position_of(text, error.byte));
  } catch (const typename Json::exception&) {
    throw_caller_error("{}: holds a number that no double can hold", place);
  }
}

}  // namespace

nlohmann::json parse_json(
    std::string_view text, const std::string& place, int max_depth) {
  return parse<nlohmann::json>(text, place, max_depth);
}

nlohmann::ordered_json parse_ordered_json(
    std::string_view text, const std::string& place, int max_depth) {
  return parse<nlohmann::ordered_json>(text, place, max_depth);
}

std::string dump_json(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string dump_json(const nlohmann::ordered_json& json) {
  return json.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace moft
