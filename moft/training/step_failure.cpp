#include "moft/training/step_failure.h"

#include <string_view>

namespace moft {

std::string what_is_left(const RunPlace& place) {
  if (!place.checkpoint) return "no checkpoint had been saved yet";
  const std::string path = place.checkpoint->string();
  std::string text = "the last good checkpoint is " + path;
  constexpr std::string_view kPrefix = "step-";
  const std::string name = place.checkpoint->filename().string();
  if (!place.may_end_earlier || !name.starts_with(kPrefix)) return text;
  return text + fmt::format(
                    ", which {}.steps={} and --resume auto publish",
                    place.section,
                    name.substr(kPrefix.size()));
}

const char* memory_cure_of(const std::string& section) {
  if (section == "sft") {
    return "lower sft.pairs_per_step, data.max_prompt_tokens or "
           "data.max_completion_tokens, raise sft.gradient_accumulation, or "
           "take a smaller model";
  }
  return "lower training.prompts_per_step, training.samples_per_prompt or "
         "training.max_new_tokens, raise training.gradient_accumulation, or "
         "take a smaller model";
}

}  // namespace moft
