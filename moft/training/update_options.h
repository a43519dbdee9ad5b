// Settings that every training loop has: how long it runs, how it updates
// parameters, when it saves. Sections of recipes derive from UpdateOptions and
// declare its fields in their own order.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "moft/core/fields.h"
#include "moft/training/optimizer_options.h"

namespace moft {

struct CheckpointOptions {
  std::optional<std::int64_t> every = 10;
  std::int64_t keep = 2;

  template <class V>
  void fields(V& v) {
    v("every",
      every,
      Help{"save a checkpoint every N steps; null: only when stopped", "steps"},
      at_least(1));
    v("keep",
      keep,
      Help{"number of checkpoints kept; older ones are removed", "checkpoints"},
      at_least(1));
  }
};

struct UpdateOptions {
  std::int64_t seed = 1;
  std::int64_t steps = 40;
  std::optional<double> epochs;  // replaces steps once the data are read
  std::int64_t gradient_accumulation = 1;
  double memory_budget = 8.0;  // GB
  std::optional<double> gradient_clip = 1.0;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  CheckpointOptions checkpoint;

  // gradient_accumulation, memory_budget, gradient_clip, optimizer and
  // schedule.
  template <class V>
  void update_fields(V& v) {
    v("gradient_accumulation",
      gradient_accumulation,
      Help{
          "number of slices that the prompts, pairs or rows of an update are "
          "cut into, which it divides evenly; each is computed alone and "
          "their gradients are added in order; more slices need less memory "
          "and give the same update up to rounding",
          "slices"},
      between(1, 1e6));
    v("memory_budget",
      memory_budget,
      Help{
          "what a step may take of memory beside weights, copies, gradients "
          "and optimizer state, by estimate; it is computed in as many parts "
          "as that needs, and gives the same update up to rounding",
          "GB"},
      between(0.001, 1e6));
    v("gradient_clip",
      gradient_clip,
      Help{"largest norm of the gradient over all trained parameters; null: "
           "not clipped"},
      above(0));
    v("optimizer", optimizer, Help{"the optimizer of the trained parameters"});
    v("schedule", schedule, Help{"the learning rate over the steps"});
  }

  std::int64_t budget_bytes() const {
    return static_cast<std::int64_t>(memory_budget * 1e9);
  }

  // CallerError for weight decay that the optimizer does not have, a warm-up
  // longer than the run, or a step's items that cannot be cut into
  // gradient_accumulation slices of one size. `path` comes before the keys in
  // messages; `per_step` is the key of a step's items.
  void check_updates(
      const std::string& path,
      const std::string& per_step,
      std::int64_t items) const;
  // The last of these, of the `items` of an update; `what` says whose number
  // that is.
  void check_slices(
      const std::string& path,
      const std::string& what,
      std::int64_t items) const;
};

}  // namespace moft
