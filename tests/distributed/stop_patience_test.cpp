// When a rank that is asked to stop gives up waiting.
#include "moft/distributed/stop_patience.h"

#include <chrono>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace moft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool yes() {
  return true;
}
bool no() {
  return false;
}

std::future<void> work_of(milliseconds time) {
  return std::async(
      std::launch::async, [time] { std::this_thread::sleep_for(time); });
}

TEST(StopPatience, IsEndlessUntilAStopIsAskedFor) {
  for (const auto& asked : {std::function<bool()>(), std::function(no)}) {
    const StopPatience patience(asked, milliseconds(0));
    EXPECT_TRUE(patience.wait(work_of(milliseconds(300)), no));
  }
}

TEST(StopPatience, IsTheLeastForRanksWithoutASignOfLife) {
  const StopPatience patience(yes, milliseconds(400));
  EXPECT_TRUE(patience.wait(work_of(milliseconds(200)), no));
  std::promise<void> never;
  const auto begin = StopPatience::Clock::now();
  EXPECT_FALSE(patience.wait(never.get_future(), no));
  const auto waited = StopPatience::Clock::now() - begin;
  EXPECT_GE(waited, milliseconds(400));
  EXPECT_LT(waited, seconds(20));
}

TEST(StopPatience, IsAsLongAsGivenForLiveRanks) {
  const StopPatience patience(yes, milliseconds(0));
  EXPECT_TRUE(patience.wait(work_of(milliseconds(300)), yes));
  EXPECT_TRUE(patience.wait(work_of(milliseconds(200)), yes, seconds(60)));
  std::promise<void> never;
  const auto begin = StopPatience::Clock::now();
  EXPECT_FALSE(patience.wait(never.get_future(), yes, milliseconds(600)));
  EXPECT_GE(StopPatience::Clock::now() - begin, milliseconds(600));
}

TEST(StopPatience, KnowsTheLongestStep) {
  StopPatience patience(yes, milliseconds(0));
  EXPECT_FALSE(patience.longest_step());
  patience.end_step();  // the first one begins
  EXPECT_FALSE(patience.longest_step());
  std::this_thread::sleep_for(milliseconds(600));
  patience.end_step();
  patience.end_step();  // a short one
  EXPECT_GE(patience.longest_step(), milliseconds(600));
  EXPECT_LT(patience.longest_step(), seconds(20));
}

TEST(StopPatience, RunsATaskAndThrowsWhatItThrows) {
  const StopPatience patience(nullptr, milliseconds(0));
  bool ran = false;
  EXPECT_TRUE(patience.run([&ran] { ran = true; }, no));
  EXPECT_TRUE(ran);
  EXPECT_THROW(
      patience.run([] { throw std::runtime_error("no disk"); }, no),
      std::runtime_error);
}

TEST(StopPatience, LeavesATaskBehind) {
  const StopPatience patience(yes, milliseconds(0));
  const auto done = std::make_shared<std::promise<void>>();
  const auto end = done->get_future();
  EXPECT_FALSE(patience.run(
      [done] {
        std::this_thread::sleep_for(milliseconds(500));
        done->set_value();
      },
      no));
  end.wait();
}

}  // namespace
}  // namespace moft
