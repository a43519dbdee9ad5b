// Adafactor's options, as adafactor.h uses and recipes write them; free of
// libtorch.
#pragma once

#include <cstdint>
#include <optional>

#include "moft/core/fields.h"

namespace moft {

// T5X's defaults.
struct AdafactorOptions {
  double decay_rate = 0.8;                         // > 0
  std::optional<double> clipping_threshold = 1.0;  // > 0; absent: no clipping
  bool multiply_by_parameter_scale = true;
  std::int64_t min_dim_size_to_factor = 128;  // >= 1
  // Not in recipes:
  double epsilon1 = 1e-30;  // > 0, added to g^2
  double epsilon2 = 1e-3;   // > 0, smallest scale
  bool factored = true;
  bool dense = false;  // zero gradients are applied, not skipped

  template <class V>
  void fields(V& v) {
    v("decay_rate",
      decay_rate,
      Help{"step t keeps 1 - t^-decay_rate of the running mean square"},
      above(0));
    v("clipping_threshold",
      clipping_threshold,
      Help{"largest root mean square of a parameter's update before the "
           "learning rate; null: not clipped"},
      above(0));
    v("multiply_by_parameter_scale",
      multiply_by_parameter_scale,
      Help{"the step is in units of the parameter's root mean square"});
    v("min_dim_size_to_factor",
      min_dim_size_to_factor,
      Help{"factor the second moment (per row and per column) of matrices "
           "whose two dimensions are both at least this"},
      at_least(1));
  }
};

}  // namespace moft
