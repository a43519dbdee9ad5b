// Ranks that die, hang or do not fit, and jobs that get in each other's way.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include <fmt/format.h>
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

// As a launcher does it: a random rank dies at a random moment, the others are
// told to end, and the same command begins again, as two or three ranks.
// scripts/verify_distributed --kill says how often.
TEST(RankFaults, KillsAtRandomMomentsChangeNoBit) {
  const char* asked = std::getenv("MOFT_KILLS");
  const int kills = asked == nullptr ? 2 : std::atoi(asked);
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const Words again = {
      "training.gradient_accumulation=6",
      "distributed.timeout=20",
      "--resume",
      "auto"};
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto below = [&](int count) {
    return std::uniform_int_distribution<int>(0, count - 1)(random);
  };
  for (int kill = 0; kill < kills; ++kill) {
    const int size = 2 + below(2);
    const int victim = below(size);
    const int moment = below(2500);
    SCOPED_TRACE(fmt::format(
        "kill {}: rank {} of {} after {} ms", kill, victim, size, moment));
    Ranks ranks(folder, train(with(again, kEndless)), size);
    std::this_thread::sleep_for(std::chrono::milliseconds(moment));
    for (int rank = 0; rank < size; ++rank) {
      EXPECT_TRUE(ranks.at(static_cast<std::size_t>(rank)).running())
          << ranks.at(static_cast<std::size_t>(rank)).errors();
    }
    ranks.at(static_cast<std::size_t>(victim)).send(SIGKILL);
    for (int rank = 0; rank < size; ++rank)
      if (rank != victim)
        ranks.at(static_cast<std::size_t>(rank)).send(SIGTERM);
    for (int rank = 0; rank < size; ++rank)
      (void)ranks.at(static_cast<std::size_t>(rank)).exit_code();
  }
  const std::string end =
      std::to_string(count_lines(folder / "run/metrics.jsonl") + 2);
  const Words steps = {"training.steps=" + end};
  Ranks(folder, train(with(again, steps)), 2).expect_code(0);
  run_alone(
      folder,
      train(with(
          steps,
          {"training.gradient_accumulation=6", "--output", "straight"})));
  for (const char* name : {"policy/steering.safetensors", "samples.jsonl"}) {
    EXPECT_FALSE(read_all(folder / "run" / name).empty()) << name;
    EXPECT_EQ(
        read_all(folder / "run" / name), read_all(folder / "straight" / name))
        << name << ", " << end << " steps";
  }
  EXPECT_EQ(
      metrics_without_times(folder / "run"),
      metrics_without_times(folder / "straight"));
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

// Long: 20 s for ranks that hang (scripts/verify_distributed --kill).
TEST(RankFaults, AStopDoesNotWaitForARankThatHangs) {
  if (std::getenv("MOFT_KILLS") == nullptr) GTEST_SKIP() << "long";
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const Words saving = with(kEndless, {"training.checkpoint.every=1"});
  for (const std::size_t victim : {0, 1}) {
    SCOPED_TRACE(fmt::format("rank {} hangs", victim));
    Ranks ranks(folder, train(with(saving, {"--resume", "auto"})), 2);
    ASSERT_TRUE(wait_for_steps(
        ranks, folder / "run", count_lines(folder / "run/metrics.jsonl") + 2))
        << ranks.at(0).errors();
    ranks.at(victim).send(SIGSTOP);
    Program& other = ranks.at(1 - victim);
    const auto begin = std::chrono::steady_clock::now();
    other.send(SIGTERM);
    EXPECT_EQ(other.exit_code(), 128 + SIGTERM) << other.errors();
    EXPECT_LT(
        std::chrono::steady_clock::now() - begin, std::chrono::seconds(35));
    EXPECT_TRUE(
        has(other.errors(),
            victim == 1 ? "rank 1 has given no sign of life"
                        : "rank 0, with the store, does not answer"))
        << other.errors();
  }
  const Words steps = {
      fmt::format(
          "training.steps={}", count_lines(folder / "run/metrics.jsonl") + 1),
      "--resume",
      "auto"};
  Ranks(folder, train(steps), 2).expect_code(0);
}

TEST(RankFaults, AStopDoesNotWaitForRanksThatHaveNotCome) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Program first(
      scratch.path(), train(), std::nullopt, variables_of(0, 2, free_port()));
  ASSERT_TRUE(first.wait_until([&] { return has(first.errors(), "ranks"); }));
  first.send(SIGTERM);
  EXPECT_EQ(first.exit_code(), 128 + SIGTERM);
  EXPECT_TRUE(has(first.errors(), "rank 0: was stopped while it waited"))
      << first.errors();
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
        Words{"sweep", "policy", "--prompt", "x"},
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
