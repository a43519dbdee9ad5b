// All oracles of training. Those of the production loop take many minutes and
// are skipped unless MOFT_TRAINED_ORACLES is set, as scripts/verify_trained
// does; then every oracle's line is printed too.
#include "tests/trained/oracles.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace moft::exact {
namespace {

struct Group {
  const char* name;
  void (*verify)(OracleBook& book);
  bool takes_long;
};

class TrainedOracles : public testing::TestWithParam<Group> {
 protected:
  static void TearDownTestSuite() {
    if (all()) fmt::print("{} oracles, {} missed\n", lines_, misses_);
  }
  static bool all() { return std::getenv("MOFT_TRAINED_ORACLES") != nullptr; }

  static std::size_t lines_, misses_;
};
std::size_t TrainedOracles::lines_ = 0;
std::size_t TrainedOracles::misses_ = 0;

TEST_P(TrainedOracles, AreMet) {
  if (GetParam().takes_long && !all())
    GTEST_SKIP() << "takes minutes: run scripts/verify_trained";
  OracleBook book([](const OracleLine& line) {
    if (all()) {
      fmt::print("{}\n", format_oracle(line));
      std::fflush(stdout);
    }
    EXPECT_TRUE(line.ok) << format_oracle(line);
  });
  GetParam().verify(book);
  EXPECT_GT(book.lines(), 0u);
  lines_ += book.lines();
  misses_ += book.misses();
}

INSTANTIATE_TEST_SUITE_P(
    Groups,
    TrainedOracles,
    testing::Values(
        Group{"counterexample", verify_counterexample_training, false},
        Group{"front_toys", verify_front_toys, false},
        Group{"weighting_toys", verify_weighting_toys, false},
        Group{"enum_loop", verify_enum_loop, true},
        Group{"enum_training", verify_enum_training, true},
        Group{"enum_algorithms", verify_enum_algorithms, true}),
    [](const auto& group) { return std::string(group.param.name); });

}  // namespace
}  // namespace moft::exact
