// How many slices a step has, and a line of the log about it.
#include "cli/rank_slices.h"

#include "moft/core/log.h"

namespace moft {

void share_slices(
    UpdateOptions& options,
    const StepItems& items,
    int ranks,
    const std::string& section) {
  const std::int64_t slices = slices_of_ranks(
      options.gradient_accumulation, items, ranks, section + ".");
  log_info(
      "ranks       {}, of {} slices in each step: {}.gradient_accumulation {}",
      ranks,
      slices,
      section,
      slices);
  options.gradient_accumulation = slices;
}

void log_other_slices(
    const UpdateOptions& before,
    const UpdateOptions& now,
    const std::string& section) {
  if (before.gradient_accumulation == now.gradient_accumulation) return;
  log_info(
      "slices      {}.gradient_accumulation was {} and is {}: from here on the "
      "run has the bits of one that has {}",
      section,
      before.gradient_accumulation,
      now.gradient_accumulation,
      now.gradient_accumulation);
}

}  // namespace moft
