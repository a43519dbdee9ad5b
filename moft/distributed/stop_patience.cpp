// Waits in short turns, and asks in between.
#include "moft/distributed/stop_patience.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace moft {
namespace {

// Between two questions whether the process is asked to stop.
constexpr std::chrono::milliseconds kTurn{50};

}  // namespace

void StopPatience::end_step() {
  const auto now = Clock::now();
  if (step_begin_) {
    longest_step_ = std::max(
        longest_step_.value_or(Clock::duration::zero()), now - *step_begin_);
  }
  step_begin_ = now;
}

bool StopPatience::wait(
    const std::future<void>& work, const OthersLive& others_live) const {
  std::optional<Clock::time_point> begin;
  while (work.wait_for(kTurn) != std::future_status::ready) {
    if (!asked()) continue;
    if (!begin) begin = Clock::now();
    if (is_over(Clock::now() - *begin, others_live)) return false;
  }
  return true;
}

bool StopPatience::run(
    std::function<void()> task, const OthersLive& others_live) const {
  std::packaged_task<void()> work(std::move(task));
  std::future<void> ended = work.get_future();
  std::thread thread(std::move(work));
  if (!wait(ended, others_live)) {
    thread.detach();
    return false;
  }
  thread.join();
  ended.get();
  return true;
}

bool StopPatience::is_over(
    Clock::duration waited, const OthersLive& others_live) const {
  if (waited < least_) return false;
  return (longest_step_ && waited >= *longest_step_) || !others_live();
}

}  // namespace moft
