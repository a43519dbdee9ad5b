#include "moft/distributed/pulse.h"

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace moft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What was posted.
struct Posts {
  std::mutex mutex;
  std::vector<Beat> beats;

  void add(const std::string& text) {
    const std::lock_guard lock(mutex);
    beats.push_back(read_beat(text));
  }
  std::vector<Beat> all() {
    const std::lock_guard lock(mutex);
    return beats;
  }
};

TEST(Pulse, PostsAtOnceThenAgainAndAgain) {
  const auto posts = std::make_shared<Posts>();
  {
    const Pulse pulse(
        [posts](const std::string& text) { posts->add(text); },
        milliseconds(1));
    EXPECT_GE(posts->all().size(), 1u);
    while (posts->all().size() < 5)
      std::this_thread::sleep_for(milliseconds(1));
  }
  const auto beats = posts->all();
  for (std::size_t i = 0; i < beats.size(); ++i)
    EXPECT_EQ(beats[i].count, static_cast<std::int64_t>(i));
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(posts->all().size(), beats.size());
}

TEST(Pulse, LeavesAtOnceAndOnce) {
  const auto posts = std::make_shared<Posts>();
  Pulse pulse(
      [posts](const std::string& text) { posts->add(text); }, seconds(60));
  pulse.begin("gather");
  pulse.begin("sum");
  pulse.leave("rank 2 hangs");
  pulse.leave("something else");
  const auto beats = posts->all();
  ASSERT_EQ(beats.size(), 2u);
  EXPECT_FALSE(beats[0].left);
  EXPECT_TRUE(beats[1].left);
  EXPECT_EQ(beats[1].reason, "rank 2 hangs");
  EXPECT_EQ(beats[1].turn, 2);
  EXPECT_EQ(beats[1].name, "sum");
}

TEST(Pulse, OutlivesFailedPosts) {
  const auto calls = std::make_shared<std::atomic<int>>(0);
  const Pulse pulse(
      [calls](const std::string&) {
        ++*calls;
        throw std::runtime_error("no store");
      },
      milliseconds(1));
  while (*calls < 3)
    std::this_thread::sleep_for(milliseconds(1));
}

TEST(AnswerWithin, HasTheAnswerOrNothing) {
  EXPECT_EQ(answer_within(seconds(60), [] { return 7; }), 7);
  EXPECT_EQ(
      answer_within(
          seconds(60), []() -> int { throw std::runtime_error("no"); }),
      std::nullopt);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(
      answer_within(
          milliseconds(5),
          [] {
            std::this_thread::sleep_for(seconds(2));
            return 7;
          }),
      std::nullopt);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2));
}

}  // namespace
}  // namespace moft
