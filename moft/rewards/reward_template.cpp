// Templates over prompt, completion and the fields of the example.
#include "moft/rewards/reward_template.h"

#include <algorithm>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kPrompt = "prompt";
constexpr const char* kCompletion = "completion";

}  // namespace

std::vector<std::string> RewardTemplate::example_fields() const {
  std::vector<std::string> names = template_.field_names();
  std::erase(names, kPrompt);
  std::erase(names, kCompletion);
  return names;
}

bool RewardTemplate::uses_prompt() const {
  const auto& names = template_.field_names();
  return std::ranges::find(names, kPrompt) != names.end();
}

std::vector<PromptPiece> RewardTemplate::fill(
    const RewardBatch& batch,
    std::size_t row,
    const std::string& completion) const {
  Example filled = *batch.examples[row];
  if (uses_prompt() && batch.prompts[row].empty() &&
      !filled.fields.contains(kPrompt)) {
    throw_caller_error(
        "{}: there is no prompt for {{prompt}}; give the row a field 'prompt', "
        "or name its fields in the template",
        place_of(filled));
  }
  filled.fields.emplace(kPrompt, batch.prompts[row]);
  filled.fields[kCompletion] = completion;
  return template_.fill(filled);
}

std::vector<std::string> template_fields(
    const std::vector<std::optional<std::string>>& templates) {
  std::vector<std::string> names;
  for (const auto& text : templates) {
    if (!text) continue;
    for (std::string& name : RewardTemplate(*text).example_fields())
      names.push_back(std::move(name));
  }
  return names;
}

}  // namespace moft
