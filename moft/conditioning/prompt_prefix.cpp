// A weighting written in words.
#include "moft/conditioning/prompt_prefix.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

std::string prompt_number(double weight) {
  std::string text = fmt::format("{:.2f}", weight);
  if (text.back() == '0') text.pop_back();
  return text;
}

std::vector<std::string> prompt_names(
    const PromptConditioningOptions& options,
    const std::vector<std::string>& objectives,
    const std::string& place) {
  for (const auto& [objective, name] : options.names) {
    if (std::find(objectives.begin(), objectives.end(), objective) !=
        objectives.end()) {
      continue;
    }
    throw_caller_error(
        "{}.names renames {}, which is not an objective; the objectives are {}",
        place,
        quote_text(objective),
        join(objectives, ", "));
  }
  std::vector<std::string> names;
  for (const std::string& objective : objectives) {
    const auto found = options.names.find(objective);
    names.push_back(found == options.names.end() ? objective : found->second);
  }
  return names;
}

std::string prompt_prefix(
    const std::vector<std::string>& names,
    const Weighting& w,
    std::int64_t repetitions) {
  std::string prefix;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) prefix += "; ";
    prefix += names[i] + ":";
    for (std::int64_t r = 0; r < repetitions; ++r)
      prefix += " " + prompt_number(w[i]);
  }
  return prefix + ".";
}

}  // namespace moft
