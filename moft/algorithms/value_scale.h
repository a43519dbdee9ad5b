// The baseline that values.h makes of a value network's values; without
// libtorch, for the options.
#pragma once

namespace moft {

enum class ValueScale {
  kReward,   // (1 - alpha) w.V
  kLiteral,  // w.V
};

}  // namespace moft
