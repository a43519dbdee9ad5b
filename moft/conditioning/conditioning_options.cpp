// Checks of the conditioning settings, and what follows from them.
#include "moft/conditioning/conditioning_options.h"

#include <algorithm>
#include <limits>

#include "moft/core/errors.h"
#include "moft/core/pattern.h"
#include "moft/core/text.h"

namespace moft {

LayerRange parse_layers(
    const std::string& text, std::int64_t layers, const std::string& place) {
  if (text == "all") return {0, layers - 1};
  if (text == "upper_half") return {layers / 2, layers - 1};
  std::size_t dots = text.find("..");
  std::optional<std::int64_t> first;
  std::optional<std::int64_t> last;
  if (dots != std::string::npos) {
    first = parse_integer(std::string_view(text).substr(0, dots));
    last = parse_integer(std::string_view(text).substr(dots + 2));
  }
  if (!first || !last || *first < 0 || *first > *last) {
    throw_caller_error(
        "{} is {}; give all, upper_half or a range such as 15..29",
        place,
        quote_text(text));
  }
  if (*last >= layers) {
    throw_caller_error(
        "{} is {} but the model has {} layers, numbered from 0",
        place,
        quote_text(text),
        layers);
  }
  return {*first, *last};
}

void LoraOptions::check(const std::string& path) const {
  // The grammar only: how many layers there are is not known here.
  parse_layers(
      layers, std::numeric_limits<std::int64_t>::max(), path + "layers");
  for (auto kind = modules.begin(); kind != modules.end(); ++kind) {
    if (std::find(modules.begin(), kind, *kind) != kind) {
      throw_caller_error(
          "{}modules names {} twice; name it once", path, enum_name(*kind));
    }
  }
}

void ConditioningOptions::check(const std::string& path) const {
  const bool by_name = steered_set == SteeredSet::kPattern;
  if (by_name == pattern.empty()) {
    throw_caller_error(
        "{}pattern is {} but {}steered_set is {}; {}",
        path,
        by_name ? "empty" : quote_text(pattern),
        path,
        enum_name(steered_set),
        by_name ? "give a regular expression over parameter names"
                : "leave it out, or give steered_set: pattern");
  }
  if (by_name) Pattern(pattern, path + "pattern");
  if (steered_set == SteeredSet::kNone && freeze_shared) {
    throw_caller_error(
        "{}freeze_shared is true and {}steered_set is none, which leaves "
        "nothing to train; give another steered_set or freeze_shared: false",
        path,
        path);
  }
  if (prompt && prompt->common_adapter && steered_set != SteeredSet::kLora) {
    throw_caller_error(
        "{}prompt.common_adapter is true but {}steered_set is {}; give "
        "steered_set: lora, or leave common_adapter out",
        path,
        path,
        enum_name(steered_set));
  }
}

KlRange kl_range(const ConditioningOptions& options, double kl_strength) {
  return KlRange(options.alpha_min.value_or(kl_strength), options.f_mix);
}

}  // namespace moft
