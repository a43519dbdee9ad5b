// Examples to columns.
#include "moft/data/columns.h"

#include <string>

namespace moft {
namespace {

using nlohmann::json;

// A text inside an object has a name of its own ("reward_model.style").
bool is_inside(const std::string& name, const Example& example) {
  for (std::size_t dot = name.find('.'); dot != std::string::npos;
       dot = name.find('.', dot + 1)) {
    if (example.values.contains(name.substr(0, dot))) return true;
  }
  return false;
}

json row_of(const Example& example) {
  json row = json::object();
  for (const auto& [name, text] : example.fields)
    if (!is_inside(name, example)) row[name] = text;
  for (const auto& [name, value] : example.values)
    row[name] = json::parse(value);
  return row;
}

}  // namespace

json columns_of(const std::vector<const Example*>& examples) {
  json columns = json::object();
  json row;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (i == 0 || examples[i] != examples[i - 1]) row = row_of(*examples[i]);
    for (const auto& [name, value] : row.items()) {
      json& column = columns[name];
      if (column.is_null()) column = json::array();
      while (column.size() < i)
        column.push_back(nullptr);
      column.push_back(value);
    }
  }
  for (auto& [name, column] : columns.items())
    while (column.size() < examples.size())
      column.push_back(nullptr);
  return columns;
}

}  // namespace moft
