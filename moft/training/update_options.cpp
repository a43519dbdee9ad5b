// What has to hold between the settings of an update.
#include "moft/training/update_options.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/errors.h"

namespace moft {

void UpdateOptions::check_updates(
    const std::string& path,
    const std::string& per_step,
    std::int64_t items) const {
  if (optimizer.kind == OptimizerKind::kAdafactor &&
      optimizer.weight_decay > 0.0) {
    throw_caller_error(
        "{}optimizer.weight_decay is {}, but adafactor has none; give 0, or "
        "kind: adamw",
        path,
        optimizer.weight_decay);
  }
  // With epochs the steps are known once the data are read.
  if (!epochs && schedule.warmup_steps > steps) {
    throw_caller_error(
        "{}schedule.warmup_steps is {}; give at most {}steps, which is {}",
        path,
        schedule.warmup_steps,
        path,
        steps);
  }
  check_slices(path, path + per_step, items);
}

void UpdateOptions::check_slices(
    const std::string& path,
    const std::string& what,
    std::int64_t items) const {
  const std::int64_t slices = gradient_accumulation;
  if (items % slices == 0) return;
  // The divisors on either side.
  std::int64_t below = std::min(slices, items);
  while (items % below != 0)
    --below;
  std::int64_t above = std::min(slices, items);
  while (items % above != 0)
    ++above;
  throw_caller_error(
      "{}gradient_accumulation is {}, the number of slices that {}, which is "
      "{}, is cut into evenly; give {}",
      path,
      slices,
      what,
      items,
      above == below ? fmt::format("at most {}", items)
                     : fmt::format("{} or {}", below, above));
}

}  // namespace moft
