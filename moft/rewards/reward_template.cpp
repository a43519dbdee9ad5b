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

void check_text_or_pair(
    const std::string& path,
    const std::optional<std::string>& text,
    const std::optional<std::string>& premise,
    const std::optional<std::string>& hypothesis) {
  if (text && (premise || hypothesis)) {
    throw_caller_error(
        "{}text is given beside a pair; give either text, or premise and "
        "hypothesis",
        path);
  }
  if (hypothesis && !premise) {
    throw_caller_error(
        "{}hypothesis is given without premise; add the text that it is "
        "compared with, or give text alone",
        path);
  }
}

void check_text_or_messages(
    const std::string& path,
    const std::optional<std::string>& text,
    const std::optional<std::string>& user,
    const std::optional<std::string>& system) {
  if (text && (user || system)) {
    throw_caller_error(
        "{}text is given beside {}; give either the whole text or the messages",
        path,
        user ? "user" : "system");
  }
}

}  // namespace moft
