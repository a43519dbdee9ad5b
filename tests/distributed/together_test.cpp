// What fails on one rank fails on all.
#include "moft/distributed/together.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/distributed/c10d_group.h"
#include "moft/distributed/single_group.h"

#include "support.h"
#include "tests/support/thread_group.h"

namespace moft::test {
namespace {

using testing_ranks::Outcome;
using testing_ranks::run_ranks;

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

TEST(FirstRank, AProcessAloneIsTheFirst) {
  SingleGroup group;
  EXPECT_EQ(run_on_first(group, [] { return std::string("x"); }), "x");
  const auto fail = []() -> std::string { throw std::out_of_range("y"); };
  EXPECT_THROW(run_on_first(group, fail), std::out_of_range);
}

// What each rank says of rank 0's work; who else works says so.
std::string tell(const Launch& launch, const std::function<void()>& work) {
  const auto group = join_group(launch, {}, {std::chrono::seconds(60)});
  try {
    return run_on_first(*group, [&] {
      work();
      return fmt::format("by {}", group->rank());
    });
  } catch (const CallerError& error) {
    return std::string("caller: ") + error.what();
  } catch (const WorldError& error) {
    return std::string("world: ") + error.what();
  } catch (const std::exception& error) {
    return std::string("other: ") + error.what();
  }
}

TEST(FirstRank, EveryRankHasItsResultOrItsError) {
  const auto words = [](const std::function<void()>& work) {
    std::vector<std::string> texts;
    for (const Outcome& outcome :
         run_ranks(2, [&](const Launch& launch) { return tell(launch, work); }))
      texts.push_back(outcome.text);
    return texts;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(words([] {}), (Words{"by 0", "by 0"}));
  EXPECT_EQ(
      words([] { throw CallerError("a run is there"); }),
      (Words{"caller: a run is there", "caller: a run is there"}));
  EXPECT_EQ(
      words([] { throw WorldError("disk full"); }),
      (Words{"world: disk full", "world: disk full"}));
  EXPECT_EQ(
      words([] { throw std::runtime_error("odd"); }),
      (Words{"other: odd", "world: odd"}));
}

}  // namespace
}  // namespace moft::test
