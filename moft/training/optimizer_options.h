// Optimizers and learning rates as recipes name them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/core/fields.h"

namespace moft {

enum class ZeroCoefficient { kSkip, kDense };
constexpr auto enum_names(ZeroCoefficient) {
  return EnumNames<ZeroCoefficient, 2>{{
      {ZeroCoefficient::kSkip, "skip"},
      {ZeroCoefficient::kDense, "dense"},
  }};
}

enum class OptimizerKind { kAdamW, kAdafactor };
constexpr auto enum_names(OptimizerKind) {
  return EnumNames<OptimizerKind, 2>{{
      {OptimizerKind::kAdamW, "adamw"},
      {OptimizerKind::kAdafactor, "adafactor"},
  }};
}

// T5X's defaults.
struct AdafactorSettings {
  double decay_rate = 0.8;
  std::optional<double> clipping_threshold = 1.0;
  bool multiply_by_parameter_scale = true;
  std::int64_t min_dim_size_to_factor = 128;

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

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double learning_rate = 5e-4;
  std::vector<double> betas = {0.9, 0.95};
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  ZeroCoefficient zero_coefficient = ZeroCoefficient::kSkip;
  AdafactorSettings adafactor;

  template <class V>
  void fields(V& v) {
    v("kind",
      kind,
      Help{"adafactor: as T5X runs it, without momentum and weight decay"});
    v("learning_rate",
      learning_rate,
      Help{"step size; adafactor: relative to the parameter"},
      above(0));
    v("betas",
      betas,
      Help{"decay rates of AdamW's running mean and mean square"},
      from_up_to_below(0, 1),
      Count{2});
    v("epsilon", epsilon, Help{"added to AdamW's denominator"}, above(0));
    v("weight_decay",
      weight_decay,
      Help{"decoupled weight decay; 0: none", "1 / (learning rate * step)"},
      at_least(0));
    v("zero_coefficient",
      zero_coefficient,
      Help{"a copy whose coefficient is 0 in a step; skip: keeps its moments "
           "and its own step count, dense: gets a zero gradient"});
    v("adafactor", adafactor, Help{"adafactor's own settings"});
  }
};

enum class ScheduleKind { kConstant, kLinear, kCosine };
constexpr auto enum_names(ScheduleKind) {
  return EnumNames<ScheduleKind, 3>{{
      {ScheduleKind::kConstant, "constant"},
      {ScheduleKind::kLinear, "linear"},
      {ScheduleKind::kCosine, "cosine"},
  }};
}

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kConstant;
  std::int64_t warmup_steps = 0;
  double final_fraction = 0.0;

  template <class V>
  void fields(V& v) {
    v("kind", kind, Help{"shape of the learning rate after the warm-up"});
    v("warmup_steps",
      warmup_steps,
      Help{"number of steps of linear warm-up; 0: none", "steps"},
      at_least(0));
    v("final_fraction",
      final_fraction,
      Help{"linear and cosine end at this fraction of the learning rate"},
      between(0, 1));
  }
};

}  // namespace moft
