// Messages of a step that failed.
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

}  // namespace moft
