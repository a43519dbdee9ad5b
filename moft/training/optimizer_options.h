// Optimizers and learning rates as recipes name them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moft/algorithms/adafactor_options.h"
#include "moft/algorithms/choices.h"
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

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double learning_rate = 5e-4;
  std::vector<double> betas = {0.9, 0.95};
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  ZeroCoefficient zero_coefficient = ZeroCoefficient::kSkip;
  AdafactorOptions adafactor;

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

struct ScheduleOptions {
  ScheduleShape kind = ScheduleShape::kConstant;
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
