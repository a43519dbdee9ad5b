#include "moft/distributed/heartbeat.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace moft {
namespace {

Beat beat(std::int64_t count, std::int64_t turn, const std::string& name) {
  Beat made;
  made.count = count;
  made.turn = turn;
  made.name = name;
  return made;
}

std::string fault(
    const std::vector<Beat>& before, const std::vector<Beat>& after, int self) {
  return name_the_fault(before, after, self, 3, "reset by peer");
}

// Three ranks at exchange 9, all of them alive.
const std::vector<Beat> kBefore(3, beat(10, 9, "sum"));
const std::vector<Beat> kAfter(3, beat(13, 9, "sum"));

TEST(Heartbeat, ReadsWhatItWrote) {
  Beat made = beat(7, 3, "step 4");
  made.left = true;
  made.reason = "rank 1 \"hangs\"";
  const Beat read = read_beat(write_beat(made));
  EXPECT_EQ(read.count, 7);
  EXPECT_EQ(read.turn, 3);
  EXPECT_EQ(read.name, "step 4");
  EXPECT_TRUE(read.left);
  EXPECT_EQ(read.reason, made.reason);
  for (const char* text : {"", "{}", "[1]", R"({"count": "x"})"})
    EXPECT_EQ(read_beat(text).count, -1) << text;
}

TEST(Heartbeat, NamesWhoStopped) {
  auto after = kAfter;
  after[2].count = 10;
  EXPECT_EQ(
      fault(kBefore, after, 0),
      "rank 0: rank 2 has given no sign of life for 3 s, at exchange 9 (sum); "
      "look at its output and at its machine");
  after[1].count = 10;
  EXPECT_NE(
      fault(kBefore, after, 0).find("ranks 1 and 2 have given no sign"),
      std::string::npos);
}

TEST(Heartbeat, NamesWhoNeverBegan) {
  auto before = kBefore;
  auto after = kAfter;
  before[1] = after[1] = {};
  EXPECT_NE(
      fault(before, after, 0).find("rank 1 has given no sign"),
      std::string::npos);
}

TEST(Heartbeat, NamesWhoIsLate) {
  auto after = kAfter;
  after[1].turn = 7;
  after[1].name = "gather";
  EXPECT_EQ(
      fault(kBefore, after, 2),
      "rank 2: rank 1 has not come to exchange 9 (sum) in time; the first of "
      "them is at exchange 7 (gather); look at its output and at its machine");
}

TEST(Heartbeat, NamesWhoLeft) {
  auto after = kAfter;
  after[1].left = true;
  EXPECT_NE(
      fault(kBefore, after, 0).find("rank 1 has left the group before"),
      std::string::npos);
}

// Whoever looks second repeats what the first one found, and does not accuse
// the first for having left.
TEST(Heartbeat, RepeatsWhatTheFirstFound) {
  auto after = kAfter;
  after[1].left = true;
  after[1].reason = "rank 1: rank 2 has given no sign of life";
  after[2].count = 10;
  EXPECT_EQ(fault(kBefore, after, 0), after[1].reason);
}

TEST(Heartbeat, TellsTheErrorWhenAllAreWell) {
  EXPECT_EQ(
      fault(kBefore, kAfter, 0),
      "rank 0: exchange 9 (sum) failed: reset by peer; see the other ranks' "
      "output");
}

TEST(Heartbeat, AllLiveWhoPostAndHaveNotLeft) {
  EXPECT_TRUE(all_live(kBefore, kAfter, 0));
  std::vector<Beat> silent = kAfter;
  silent[1] = kBefore[1];
  EXPECT_FALSE(all_live(kBefore, silent, 0));
  EXPECT_TRUE(all_live(kBefore, silent, 1));
  std::vector<Beat> left = kAfter;
  left[2].left = true;
  EXPECT_FALSE(all_live(kBefore, left, 0));
}

}  // namespace
}  // namespace moft
