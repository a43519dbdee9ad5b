// What fails on one rank fails on all.
#include "moft/distributed/together.h"

#include <atomic>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/distributed/single_group.h"

#include "tests/support/thread_group.h"

namespace moft::test {
namespace {

TEST(Together, ResultsComeByRank) {
  run_as_ranks(3, [](ThreadGroup& group) {
    const auto all =
        gather_results(group, [&] { return std::string(group.rank(), 'x'); });
    EXPECT_EQ(all, (std::vector<std::string>{"", "x", "xx"}));
  });
}

TEST(Together, AFailureIsEverybodysAndNamesItsRank) {
  std::atomic<int> named = 0, own = 0;
  run_as_ranks(3, [&](ThreadGroup& group) {
    try {
      gather_results(group, [&]() -> std::string {
        if (group.rank() > 0) throw_world_error("disk {}", group.rank());
        return "";
      });
    } catch (const WorldError& error) {
      if (error.what() == std::string("rank 1: disk 1")) ++named;
      if (error.what() == fmt::format("disk {}", group.rank())) ++own;
    }
    // The next exchange works.
    EXPECT_TRUE(group.agree(group.rank() == 2));
  });
  EXPECT_EQ(named, 1);
  EXPECT_EQ(own, 2);
}

TEST(Together, ACallersErrorStaysOne) {
  std::atomic<int> seen = 0;
  run_as_ranks(2, [&](ThreadGroup& group) {
    try {
      gather_results(group, [&]() -> std::string {
        if (group.rank() == 0) throw_caller_error("in the way");
        return "";
      });
    } catch (const CallerError&) {
      ++seen;
    }
  });
  EXPECT_EQ(seen, 2);
}

TEST(Together, AProcessAloneThrowsWhatItThrew) {
  SingleGroup alone;
  EXPECT_THROW(
      gather_results(
          alone, []() -> std::string { throw std::out_of_range("far"); }),
      std::out_of_range);
  EXPECT_EQ(
      gather_results(alone, [] { return std::string("a"); }),
      std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace moft::test
