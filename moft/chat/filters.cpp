// All filters by name.
#include "moft/chat/filters.h"

#include <algorithm>
#include <array>

#include "moft/chat/fault.h"
#include "moft/chat/list_filters.h"
#include "moft/chat/text_filters.h"
#include "moft/chat/value_filters.h"

namespace moft::jinja {

namespace {

constexpr std::array<std::string_view, 11> kRefused = {
    "filesizeformat",
    "groupby",
    "pprint",
    "random",
    "striptags",
    "truncate",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr"};

}  // namespace

Filter find_filter(std::string_view name) {
  for (const auto& table : {text_filters(), list_filters(), value_filters()}) {
    for (const NamedFilter& filter : table)
      if (filter.name == name) return filter.call;
  }
  return nullptr;
}

void need_filter(const std::string& name, int line) {
  if (find_filter(name) != nullptr) return;
  const bool known =
      std::find(kRefused.begin(), kRefused.end(), name) != kRefused.end();
  fault_at(
      line,
      "the filter '{}' is {}",
      name,
      known ? "not supported" : "not known");
}

Value apply_filter(Run& run, const std::string& name, Arguments arguments) {
  const Filter filter = find_filter(name);
  if (filter == nullptr) need_filter(name, 0);
  run.budget().step();
  return filter(run, std::move(arguments));
}

}  // namespace moft::jinja
