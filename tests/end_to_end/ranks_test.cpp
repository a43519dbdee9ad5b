// `moft train` as several processes, started as a launcher starts them: by
// variables.
#include <cmath>
#include <csignal>
#include <map>
#include <memory>
#include <span>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"

#include "tests/end_to_end/support_ranks.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

// One thread each, so that the number of ranks is all that differs.
Words train(const Words& more = {}) {
  return with({"train", "recipe.yaml", "threads=1"}, more);
}

// The masters ("steering") or moments ("optimizer") of a checkpoint by name,
// whether one process wrote it or several: the tensors' bytes, those of shards
// ("name[begin:end]") in order.
std::map<std::string, std::string> tensors_of(
    const fs::path& checkpoint, const std::string& kind) {
  std::map<std::string, std::map<std::int64_t, std::string>> shards;
  for (const std::string& file : names_in(checkpoint)) {
    if (!file.starts_with(kind)) continue;
    const SafetensorsFile opened(checkpoint / file);
    for (const std::string& name : opened.names()) {
      const std::span<const std::byte> bytes = opened.find(name)->bytes;
      const auto bracket = name.find('[');
      const std::int64_t begin = bracket == std::string::npos
                                     ? 0
                                     : std::stoll(name.substr(bracket + 1));
      const bool is_new =
          shards[name.substr(0, bracket)]
              .emplace(
                  begin,
                  std::string(
                      reinterpret_cast<const char*>(bytes.data()),
                      bytes.size()))
              .second;
      EXPECT_TRUE(is_new) << name;
    }
  }
  std::map<std::string, std::string> tensors;
  for (const auto& [name, parts] : shards) {
    for (const auto& [begin, bytes] : parts)
      tensors[name] += bytes;
  }
  return tensors;
}

void expect_same_runs(
    const fs::path& one, const fs::path& other, const std::string& last) {
  const fs::path checkpoint = fs::path("checkpoints") / last;
  for (const fs::path& name :
       {fs::path("policy/steering.safetensors"),
        fs::path("policy/model.safetensors"),
        fs::path("samples.jsonl")}) {
    EXPECT_FALSE(read_all(one / name).empty()) << name;
    EXPECT_EQ(read_all(one / name), read_all(other / name)) << name;
  }
  for (const char* kind : {"steering", "optimizer"}) {
    const auto tensors = tensors_of(one / checkpoint, kind);
    EXPECT_FALSE(tensors.empty());
    EXPECT_TRUE(tensors == tensors_of(other / checkpoint, kind)) << kind;
  }
  EXPECT_EQ(metrics_without_times(one), metrics_without_times(other));
}

TEST(TrainOverRanks, TwoWriteTheRunOfOne) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const Words steps = {"training.steps=4", "training.evaluation.every=2"};
  run_alone(
      folder,
      train(with(
          steps, {"training.gradient_accumulation=2", "--output", "alone"})));
  Ranks ranks(folder, train(steps), 2);
  ranks.expect_code(0);
  expect_same_runs(folder / "alone", folder / "run", "step-4");
  EXPECT_TRUE(metrics_without_times(folder / "run")
                  .at(3)
                  .contains("evaluation/moft_value"));
  const auto first = nlohmann::json::parse(
      read_all(folder / "run/metrics.jsonl")
          .substr(0, read_all(folder / "run/metrics.jsonl").find('\n')));
  EXPECT_EQ(first.at("ranks/size"), 2);
  EXPECT_TRUE(first.contains("ranks/waited_for"));
  EXPECT_TRUE(has(ranks.at(0).errors(), "step=4/4"));
  EXPECT_EQ(ranks.at(1).errors() + ranks.at(1).output(), "");
}

// That of one rank, as planned: not of one process with the whole step.
TEST(TrainOverRanks, SayTheMemoryThatPlanSays) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const auto planned = [&](const char* ranks) {
    const Ended ended = run_program(
        folder,
        {"plan",
         "recipe.yaml",
         "threads=1",
         "--ranks",
         ranks,
         "--seconds",
         "0.1",
         "--json"});
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return nlohmann::json::parse(ended.output)["memory"]["peak"]
        .get<std::int64_t>();
  };
  const std::int64_t peak = planned("2");
  EXPECT_LT(peak, planned("1"));
  Ranks ranks(folder, train({"training.steps=1"}), 2);
  ranks.expect_code(0);
  const std::string words = fmt::format(
      "about {:.1f} MB at the peak of each rank",
      std::ceil(static_cast<double>(peak) / 1e5) / 10.0);
  EXPECT_TRUE(has(ranks.at(0).errors(), words)) << words << "\n"
                                                << ranks.at(0).errors();
}

// Any rank that is asked to stop stops all, after a step that is saved; any
// number of ranks goes on.
TEST(TrainOverRanks, StopTogetherAndGoOnAsOneOrThree) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const Words slices = {"training.gradient_accumulation=6"};
  Ranks ranks(
      folder, train(with(slices, {"training.checkpoint.every=null"})), 2);
  ASSERT_TRUE(ranks.at(0).wait_until([&] {
    return count_lines(folder / "run/metrics.jsonl") >= 2;
  })) << ranks.at(0).errors();
  ranks.at(1).send(SIGTERM);
  ranks.expect_code(128 + SIGTERM);
  EXPECT_TRUE(has(ranks.at(0).errors(), "--resume auto"));
  const auto done = count_lines(folder / "run/metrics.jsonl");
  const std::string end = std::to_string(done + 2);
  const Words steps = with(slices, {"training.steps=" + end});
  fs::copy(folder / "run", folder / "three", fs::copy_options::recursive);
  run_alone(folder, train(with(steps, {"--resume", "auto"})));
  Ranks three(
      folder, train(with(steps, {"--resume", "auto", "--output", "three"})), 3);
  three.expect_code(0);
  run_alone(folder, train(with(steps, {"--output", "straight"})));
  expect_same_runs(folder / "straight", folder / "run", "step-" + end);
  expect_same_runs(folder / "straight", folder / "three", "step-" + end);
}

// Copies of which each rank has a share: the run, its evaluations, its policy,
// and its checkpoints, whatever the number of ranks that goes on.
TEST(TrainOverRanks, SharedCopiesMakeTheRunOfOne) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const Words keys = {
      "conditioning.steered_set=full",
      "training.weighting_per=batch",
      "training.gradient_accumulation=6",
      "training.evaluation.every=2",
      "training.checkpoint.every=2"};
  const auto words = [&](const char* steps, const Words& more) {
    return train(with(with(keys, {steps}), more));
  };
  run_alone(folder, words("training.steps=4", {"--output", "straight"}));
  run_alone(folder, words("training.steps=2", {"--output", "alone"}));
  Ranks two(folder, words("training.steps=2", {"--output", "two"}), 2);
  two.expect_code(0);
  EXPECT_TRUE(fs::exists(
      folder / "two/checkpoints/step-2/steering-2-of-2.safetensors"));
  expect_same_runs(folder / "alone", folder / "two", "step-2");
  fs::copy(folder / "two", folder / "three", fs::copy_options::recursive);
  const auto go_on = [&](const char* output) {
    return words("training.steps=4", {"--resume", "auto", "--output", output});
  };
  run_alone(folder, go_on("two"));
  expect_same_runs(folder / "straight", folder / "two", "step-4");
  Ranks three(folder, go_on("three"), 3);
  three.expect_code(0);
  expect_same_runs(folder / "straight", folder / "three", "step-4");
  // From whole masters, as older checkpoints have them.
  Ranks from_one(folder, go_on("alone"), 2);
  from_one.expect_code(0);
  expect_same_runs(folder / "straight", folder / "alone", "step-4");
}

TEST(TrainOverRanks, RanksThatDifferAreRefused) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  const int port = free_port();
  const auto start = [&](int rank, const Words& more) {
    return std::make_unique<Program>(
        folder, train(more), std::nullopt, variables_of(rank, 2, port));
  };
  const auto first = start(0, {});
  const auto second = start(1, {"training.seed=2"});
  EXPECT_EQ(second->exit_code(), 2);
  EXPECT_EQ(first->exit_code(), 2);
  for (const auto* program : {first.get(), second.get()}) {
    EXPECT_TRUE(has(program->errors(), "rank 1: recipe")) << program->errors();
  }
  EXPECT_FALSE(fs::exists(folder / "run/metrics.jsonl"));
}

TEST(TrainOverRanks, WhatDoesNotFitTheirNumberIsRefused) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Program program(
      scratch.path(),
      train(),
      std::nullopt,
      {"RANK=0", "WORLD_SIZE=5", "MASTER_ADDR=127.0.0.1", "MASTER_PORT=29400"});
  EXPECT_EQ(program.exit_code(), 2);
  EXPECT_TRUE(has(program.errors(), "start another number of ranks"))
      << program.errors();
}

}  // namespace
}  // namespace moft::test
