// Ranks whose tensors are not on the CPU have the bits of one process: what
// they exchange is staged through the CPU's memory.
//
// Nothing is computed in the process of the tests: it forks.
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <gtest/gtest.h>

#include "moft/distributed/c10d_group.h"

#include "tests/distributed/support.h"
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

// ---- where there are GPUs ---------------------------------------------------

// Rank r's GPU, or the only one. `other` tries the test itself.
at::Device device_of_rank(const std::string& name, int rank) {
  if (name == "other") return other_device();
  const int devices = at::detail::getCUDAHooks().getNumGPUs();
  return {at::kCUDA, static_cast<at::DeviceIndex>(rank % devices)};
}

std::string steps_on(const std::string& name, Group* group) {
  at::set_num_threads(1);
  RankCase given = rank_case("", 2, [](RankCase& changed) {
    changed.run.steered_set = SteeredSet::kFull;
    changed.run.training.weighting_per = WeightingPer::kBatch;
  });
  given.run.device = device_of_rank(name, group ? group->rank() : 0);
  return trace_of(given, group);
}

// By the lines "step <number> <metric> <value>".
std::map<std::string, double> metrics_in(const std::string& trace) {
  std::map<std::string, double> metrics;
  std::istringstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, step, metric, value;
    words >> kind >> step >> metric >> value;
    if (kind == "step") metrics[step + " " + metric] = std::stod(value);
  }
  return metrics;
}

TEST(RanksOnGpus, AgreeAndTakeTheStepOfOne) {
  const char* wanted = std::getenv("MOFT_TEST_DEVICE");
  const std::string name = wanted ? wanted : "";
  if (name != "cuda" && name != "other")
    GTEST_SKIP() << "MOFT_TEST_DEVICE is not `cuda`";
  testing_ranks::RankProcess process(
      {}, [&](const Launch&) { return steps_on(name, nullptr); });
  const testing_ranks::Outcome alone = process.finish();
  ASSERT_EQ(alone.status, 0) << alone.text;
  const auto ranks = testing_ranks::run_ranks(2, [&](const Launch& launch) {
    const auto group = join_group(launch, {}, {std::chrono::seconds(60)});
    return steps_on(name, group.get());
  });
  for (const testing_ranks::Outcome& rank : ranks) {
    ASSERT_EQ(rank.status, 0) << rank.text;
    EXPECT_EQ(rank.text, ranks.front().text);
  }
  const auto found = metrics_in(ranks.front().text);
  const auto expected = metrics_in(alone.text);
  ASSERT_GT(expected.count("1 grad_norm"), 0U);
  for (const auto& [metric, value] : expected)
    EXPECT_NEAR(found.at(metric), value, 1e-4 * (1 + std::abs(value)))
        << metric;
}

}  // namespace
}  // namespace moft::test
