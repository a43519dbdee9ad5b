// Finds prompts that two sets of examples share.
#include "moft/data/overlap.h"

#include <unordered_map>

#include <fmt/format.h>

#include "moft/core/text.h"

namespace moft {
namespace {

constexpr std::size_t kPlaces = 3;

}  // namespace

Overlap find_overlap(
    const PromptMaker& prompt,
    const std::vector<Example>& held_out,
    const std::vector<Example>& other) {
  // Prompt -> its first example in the other set.
  std::unordered_map<std::string, const Example*> seen;
  for (const Example& example : other)
    seen.try_emplace(prompt.render(example), &example);
  Overlap overlap;
  overlap.of = held_out.size();
  for (const Example& example : held_out) {
    const auto found = seen.find(prompt.render(example));
    if (found == seen.end()) continue;
    ++overlap.count;
    if (overlap.places.size() < kPlaces)
      overlap.places.emplace_back(place_of(example), place_of(*found->second));
  }
  return overlap;
}

std::string describe_overlap(
    const Overlap& overlap,
    const std::string& held_out,
    const std::string& other) {
  std::string places;
  for (const auto& [first, second] : overlap.places) {
    places += places.empty() ? "" : ", ";
    places += first == second ? first : first + " is " + second;
  }
  if (overlap.count > overlap.places.size()) places += ", ..";
  return fmt::format(
      "{} of the {} prompts of {} {} also in {}: {}",
      overlap.count,
      overlap.of,
      held_out,
      overlap.count == 1 ? "is" : "are",
      other,
      places);
}

}  // namespace moft
