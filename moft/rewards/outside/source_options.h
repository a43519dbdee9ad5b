// Settings that the kinds of rewards outside the process have in common.
#pragma once

#include <cstdint>

#include "moft/core/fields.h"

namespace moft {

// What one call asks about.
enum class CallUnit { kRow, kGroup, kStep };
constexpr auto enum_names(CallUnit) {
  return EnumNames<CallUnit, 3>{{
      {CallUnit::kRow, "row"},
      {CallUnit::kGroup, "group"},
      {CallUnit::kStep, "step"},
  }};
}

// Who asks, where several ranks train together (docs/distributed.md).
enum class AskedBy { kEachRank, kFirstRank };
constexpr auto enum_names(AskedBy) {
  return EnumNames<AskedBy, 2>{{
      {AskedBy::kEachRank, "each_rank"},
      {AskedBy::kFirstRank, "first_rank"},
  }};
}

enum class MissingReward { kStop, kSkip };
constexpr auto enum_names(MissingReward) {
  return EnumNames<MissingReward, 2>{{
      {MissingReward::kStop, "stop"},
      {MissingReward::kSkip, "skip"},
  }};
}

// How a source is asked; several objectives may share one.
struct SourceOptions {
  CallUnit unit = CallUnit::kGroup;
  AskedBy asked_by = AskedBy::kEachRank;
  std::int64_t workers = 1;
  double timeout = 180.0;
  double call_deadline = 600.0;
  double step_deadline = 3600.0;
  bool log_calls = false;

  template <class V>
  void fields(V& v) {
    v("unit",
      unit,
      Help{"rows asked about in one call: one, those of a prompt, or the whole "
           "step; it is sent when its last row is finished"});
    v("asked_by",
      asked_by,
      Help{
          "of several processes that train together: each asks about its own "
          "rows, or the first one about all; unit: step is always the first's, "
          "and one such reward makes all from outside so"});
    v("workers",
      workers,
      Help{"calls that are answered at the same time: processes, or "
           "connections"},
      between(1, 256));
    v("timeout",
      timeout,
      Help{"time after which one attempt of a call is given up", "seconds"},
      above(0));
    v("call_deadline",
      call_deadline,
      Help{"time that a call may take, repeated attempts included", "seconds"},
      above(0));
    v("step_deadline",
      step_deadline,
      Help{
          "time that all calls of a step may take, from the first one sent",
          "seconds"},
      above(0));
    v("log_calls",
      log_calls,
      Help{"write each call and its answer, prompts included, to standard "
           "error"});
  }
};

}  // namespace moft
