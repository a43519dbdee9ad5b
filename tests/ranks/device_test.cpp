// Ranks whose tensors are not on the CPU have the bits of one process: what
// they exchange is staged through the CPU's memory.
//
// Nothing is computed in the process of the tests: it forks.
#include <gtest/gtest.h>

#include "tests/ranks/support.h"
#include "tests/ranks/support_device.h"

namespace moft::test {
namespace {

RankCase on_device(
    const std::string& name,
    const std::function<void(RankCase&)>& change = nullptr) {
  RankCase given = rank_case(name, 2, change);
  given.run.device = other_device();
  given.left_out = {"rollout_gap"};
  return given;
}

TEST(RanksOnAnotherDevice, HaveTheBitsOfOneProcess) {
  const auto full = [](RankCase& given) {
    given.run.steered_set = SteeredSet::kFull;
  };
  expect_same_bits(
      {on_device("adapters"),
       on_device("copies", full),
       on_device(
           "shared copies",
           [&](RankCase& given) {
             full(given);
             given.run.training.weighting_per = WeightingPer::kBatch;
             given.wide = true;
           }),
       on_device(
           "value network",
           [](RankCase& given) {
             given.run.training.baseline = Baseline::kValue;
           }),
       on_device(
           "Adafactor",
           [&](RankCase& given) {
             full(given);
             given.run.training.optimizer.kind = OptimizerKind::kAdafactor;
           }),
       on_device(
           "preferences",
           [](RankCase& given) {
             given.run.training.algorithm = Algorithm::kOnlineDpo;
           })},
      2);
}

}  // namespace
}  // namespace moft::test
