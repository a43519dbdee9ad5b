// How long a rank that is asked to stop still waits for the others.
//
// Ranks that give no sign of life are waited for `least`. Those that do, and
// are only behind, are waited for longer: in a step as long as the longest step
// so far takes, if one has ended; elsewhere, where a rank saves or publishes,
// as long as the exchange's own timeout. Time counts from when the rank both
// waits and is asked to stop.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <utility>

namespace moft {

class StopPatience {
 public:
  using Clock = std::chrono::steady_clock;
  // Whether all other ranks give signs of life; may take some time.
  using OthersLive = std::function<bool()>;

  // stop_requested: of this process; or null, then it waits for good.
  StopPatience(
      std::function<bool()> stop_requested, std::chrono::milliseconds least)
      : stop_requested_(std::move(stop_requested)), least_(least) {}

  // Whether this process is asked to stop.
  bool asked() const { return stop_requested_ && stop_requested_(); }

  // All ranks are at the end of a step, or before the first one.
  void end_step();

  // None: no step has ended.
  std::optional<Clock::duration> longest_step() const { return longest_step_; }

  // Waits for `work`. False: it has not ended, and the patience has.
  // `for_live`: how long ranks that live are waited for; none: for good.
  bool wait(
      const std::future<void>& work,
      const OthersLive& others_live,
      std::optional<Clock::duration> for_live = std::nullopt) const;

  // Runs `task` in a thread of its own and throws what it throws. False: it has
  // not ended; then the thread stays behind, so `task` owns what it uses.
  bool run(
      std::function<void()> task,
      const OthersLive& others_live,
      std::optional<Clock::duration> for_live = std::nullopt) const;

 private:
  std::function<bool()> stop_requested_;
  std::chrono::milliseconds least_;
  std::optional<Clock::time_point> step_begin_;
  std::optional<Clock::duration> longest_step_;
};

}  // namespace moft
