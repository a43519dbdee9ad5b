// Which models keep mixed weights.
#include "moft/generation/mixtures.h"

#include <algorithm>

namespace moft {

bool keeps_mixtures(const LanguageModel& model) {
  const auto& parameters = model.steerable().parameters;
  return std::any_of(
      parameters.begin(), parameters.end(), [](const auto& parameter) {
        return parameter->steered() && parameter->way() == SteeringWay::kMixed;
      });
}

}  // namespace moft
