// One process and several, side by side.
#include "tests/ranks/support.h"

#include <cstdlib>
#include <span>
#include <sstream>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "moft/core/files.h"
#include "moft/distributed/c10d_group.h"

#include "tests/distributed/support.h"
#include "tests/support/tiny_t5.h"

namespace moft::test {
namespace {

std::string hash_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().contiguous();
  return hash_bytes(
      {static_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes()});
}

bool is_of_the_machine(const std::string& metric) {
  return metric.starts_with("time/") || metric.starts_with("ranks/") ||
         metric == "step_time" || metric == "tokens_per_second";
}

// All cases by name, as JSON.
std::string traces_of(const std::vector<RankCase>& cases, Group* group) {
  at::set_num_threads(1);
  if (std::getenv("MOFT_RANKS_ALL") != nullptr) ::alarm(3600);
  nlohmann::json traces;
  for (const RankCase& given : cases)
    traces[given.name] = trace_of(given, group);
  return traces.dump();
}

std::string first_difference(const std::string& one, const std::string& other) {
  std::istringstream lines(one);
  std::istringstream others(other);
  std::string line;
  std::string with;
  while (std::getline(lines, line)) {
    std::getline(others, with);
    if (line != with) return fmt::format("'{}' is '{}'", line, with);
  }
  return "none";
}

}  // namespace

RankCase rank_case(
    const std::string& name,
    std::int64_t slices,
    const std::function<void(RankCase&)>& change) {
  RankCase result{name, tiny_run()};
  TrainingOptions& training = result.run.training;
  training.gradient_accumulation = slices;
  training.kl_strength = 0.1;
  training.value.learning_rate = 0.01;
  result.run.change_conditioning = [](ConditioningOptions& conditioning) {
    conditioning.alpha_min = 0.05;
  };
  if (change) change(result);
  return result;
}

std::string trace_of(const RankCase& given, Group* group) {
  const Scratch scratch;
  if (given.t5) write_tiny_t5(scratch.path() / "base");
  TinyRun run = given.run;
  run.group = group;
  run.training.check("training.");
  TinyTraining tiny(scratch.path(), run);
  std::string trace;
  const auto add = [&](const std::string& kind, const NamedTensors& tensors) {
    for (const auto& [name, tensor] : tensors)
      trace += fmt::format("{} {} {}\n", kind, name, hash_of(tensor));
  };
  for (int step = 0; step < given.steps; ++step) {
    const StepResult result = tiny.trainer->step();
    for (const auto& [name, value] : result.metrics) {
      if (!is_of_the_machine(name))
        trace += fmt::format("step {} {} {:a}\n", step, name, value);
    }
    for (const TrainingSample& sample : result.samples)
      trace += fmt::format("sample {} {:a}\n", sample.completion, sample.kl);
  }
  const TrainerState state = tiny.trainer->state();
  add("master", state.masters);
  add("optimizer", state.optimizer);
  add("value", state.value);
  add("value optimizer", state.value_optimizer);
  add("rewards", state.rewards);
  return trace;
}

void expect_same_bits(const std::vector<RankCase>& cases, int ranks) {
  namespace ranks_of = testing_ranks;
  ranks_of::RankProcess alone(
      {}, [&](const Launch&) { return traces_of(cases, nullptr); });
  const ranks_of::Outcome expected = alone.finish();
  ASSERT_EQ(expected.status, 0) << expected.text;
  const nlohmann::json one = nlohmann::json::parse(expected.text);
  for (const RankCase& given : cases) {
    const std::string text = one.at(given.name);
    EXPECT_NE(text.find("\nmaster "), std::string::npos) << given.name;
    EXPECT_NE(text.find("\noptimizer "), std::string::npos) << given.name;
  }
  const auto outcomes = ranks_of::run_ranks(ranks, [&](const Launch& launch) {
    const auto group = join_group(launch, {}, {std::chrono::seconds(60)});
    return traces_of(cases, group.get());
  });
  for (const auto& outcome : outcomes) {
    ASSERT_EQ(outcome.status, 0) << outcome.text;
    const nlohmann::json several = nlohmann::json::parse(outcome.text);
    for (const RankCase& given : cases) {
      EXPECT_EQ(
          first_difference(one.at(given.name), several.at(given.name)), "none")
          << given.name;
    }
  }
}

}  // namespace moft::test
