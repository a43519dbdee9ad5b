#include "moft/distributed/first_rank.h"

#include <chrono>
#include <stdexcept>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/distributed/c10d_group.h"
#include "moft/distributed/single_group.h"

#include "support.h"

namespace moft {
namespace {

using testing_ranks::Outcome;
using testing_ranks::run_ranks;

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
}  // namespace moft
