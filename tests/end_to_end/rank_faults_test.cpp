// Ranks that die, hang or do not fit, and jobs that get in each other's way.
#include <chrono>
#include <csignal>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support_ranks.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

Words train(const Words& more = {}) {
  return with({"train", "recipe.yaml", "threads=1"}, more);
}

// More steps than any test waits for.
const Words kEndless = {"training.steps=100000"};

bool wait_for_steps(Ranks& ranks, const fs::path& run, std::size_t steps) {
  return ranks.at(0).wait_until(
      [&] { return count_lines(run / "metrics.jsonl") >= steps; });
}

TEST(RankFaults, ASecondJobOnARunIsRefused) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Ranks first(scratch.path(), train(kEndless), 2);
  ASSERT_TRUE(wait_for_steps(first, scratch.path() / "run", 1))
      << first.at(0).errors();
  Ranks second(scratch.path(), train(with(kEndless, {"--resume", "auto"})), 2);
  second.expect_code(2);
  for (std::size_t rank : {0, 1}) {
    EXPECT_TRUE(
        has(second.at(rank).errors(), "another moft process is training there"))
        << second.at(rank).errors();
  }
  first.at(0).send(SIGTERM);
  first.expect_code(128 + SIGTERM);
}

// A killed rank is named on standard error and in the launcher's file, and the
// same command then ends with the same bits.
TEST(RankFaults, AKilledRankIsNamedAndTheRunGoesOn) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  {
    Ranks ranks(folder, train(kEndless), 2);
    ASSERT_TRUE(wait_for_steps(ranks, folder / "run", 2))
        << ranks.at(0).errors();
    ranks.at(1).send(SIGKILL);
    EXPECT_EQ(ranks.at(0).exit_code(), 1);
    const std::string words = "rank 1 has given no sign of life";
    EXPECT_TRUE(has(ranks.at(0).errors(), words)) << ranks.at(0).errors();
    const auto file = nlohmann::json::parse(read_all(folder / "error-0.json"));
    EXPECT_TRUE(
        has(file.at("message").at("message").get<std::string>(), words));
  }
  const std::string end =
      std::to_string(count_lines(folder / "run/metrics.jsonl") + 2);
  const Words steps = {"training.steps=" + end};
  Ranks(folder, train(with(steps, {"--resume", "auto"})), 2).expect_code(0);
  Ranks(folder, train(with(steps, {"--output", "straight"})), 2).expect_code(0);
  const char* steering = "policy/steering.safetensors";
  EXPECT_FALSE(read_all(folder / "run" / steering).empty());
  EXPECT_EQ(
      read_all(folder / "run" / steering),
      read_all(folder / "straight" / steering));
}

TEST(RankFaults, AHangingRankIsNamedAfterTheTimeout) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Ranks ranks(
      scratch.path(), train(with(kEndless, {"distributed.timeout=2"})), 2);
  ASSERT_TRUE(wait_for_steps(ranks, scratch.path() / "run", 1))
      << ranks.at(0).errors();
  const auto begin = std::chrono::steady_clock::now();
  ranks.at(1).send(SIGSTOP);
  EXPECT_EQ(ranks.at(0).exit_code(), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_TRUE(has(ranks.at(0).errors(), "rank 1 has given no sign of life"))
      << ranks.at(0).errors();
}

// One rank alone, of two.
Ended run_rank(const fs::path& folder, const Words& arguments) {
  Program program(
      folder, arguments, std::nullopt, variables_of(0, 2, free_port()));
  Ended ended;
  ended.code = program.exit_code();
  ended.errors = program.errors();
  return ended;
}

TEST(RankFaults, ARankThatNeverComesIsNamed) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  const Ended ended =
      run_rank(scratch.path(), train({"distributed.timeout=1"}));
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(has(ended.errors, "rank 1 has not joined within 1 s"))
      << ended.errors;
}

TEST(RankFaults, TheTimeoutExceedsTheDeadlinesOfRewards) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  const Ended ended = run_rank(
      scratch.path(),
      train({"objectives.slow={command: {run: [cat], step_deadline: 700}}"}));
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(has(
      ended.errors,
      "distributed.timeout is 600 s and objectives.slow.command.step_deadline "
      "is 700 s"))
      << ended.errors;
}

TEST(RankFaults, CommandsThatRunInOneProcessRefuseSeveral) {
  const Scratch scratch;
  for (const Words& command :
       {Words{"generate", "policy", "--prompt", "x"},
        Words{"evaluate", "run"},
        Words{"export", "policy", "--to", "out"},
        Words{"tokenize", "base", "--input", "x"}}) {
    const Ended ended = run_rank(scratch.path(), command);
    EXPECT_EQ(ended.code, 2) << command[0];
    EXPECT_TRUE(
        has(ended.errors,
            "torchrun started 2 processes, but `moft " + command[0] +
                "` runs in one"))
        << ended.errors;
  }
  EXPECT_EQ(run_rank(scratch.path(), {"version"}).code, 0);
}

}  // namespace
}  // namespace moft::test
