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
    const std::future<void>& work,
    const OthersLive& others_live,
    std::optional<Clock::duration> for_live) const {
  std::optional<Clock::time_point> begin;
  while (work.wait_for(kTurn) != std::future_status::ready) {
    if (!asked()) continue;
    if (!begin) begin = Clock::now();
    const auto waited = Clock::now() - *begin;
    if (waited < least_) continue;
    if ((for_live && waited >= *for_live) || !others_live()) return false;
  }
  return true;
}

bool StopPatience::run(
    std::function<void()> task,
    const OthersLive& others_live,
    std::optional<Clock::duration> for_live) const {
  std::packaged_task<void()> work(std::move(task));
  std::future<void> ended = work.get_future();
  std::thread thread(std::move(work));
  if (!wait(ended, others_live, for_live)) {
    thread.detach();
    return false;
  }
  thread.join();
  ended.get();
  return true;
}

}  // namespace moft
