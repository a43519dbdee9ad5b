// `moft train` as its user meets it: killed, interrupted, resumed, refused.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/random.h"

#include "tests/end_to_end/support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

Words train(const Words& more = {}) {
  return with({"train", "recipe.yaml"}, more);
}

int finished(Program& program) {
  const int code = program.exit_code();
  if (code != 0) ADD_FAILURE() << code << ": " << program.errors();
  return code;
}

bool is_temporary(const std::string& name) {
  return has(name, ".tmp-");
}

bool saving(const fs::path& run) {
  const auto names = names_in(run / "checkpoints");
  return std::any_of(names.begin(), names.end(), is_temporary);
}

std::vector<nlohmann::json> timeless_metrics(const fs::path& run) {
  std::istringstream text(read_all(run / "metrics.jsonl"));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);) {
    nlohmann::json kept;
    const auto parsed = nlohmann::json::parse(line);
    for (const auto& [key, value] : parsed.items()) {
      const bool time = key.starts_with("time/") || key == "step_time" ||
                        key == "tokens_per_second";
      if (!time) kept[key] = value;
    }
    lines.push_back(std::move(kept));
  }
  return lines;
}

// Ten times: start or resume, then kill -9; every second time while a
// checkpoint is being saved, otherwise at a random moment (the first ones
// while the program is still starting).
TEST(Train, KilledAtAnyMomentAndResumedEndsWithTheSameBits) {
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_task(folder);
  Program straight(folder, train({"--output", "straight"}));
  ASSERT_EQ(finished(straight), 0);

  const fs::path run = folder / "run";
  RandomStream moments(20, Purpose::kTest);
  int kills = 0;
  int left_half_saved = 0;
  for (int attempt = 0; kills < 10; ++attempt) {
    ASSERT_LT(attempt, 40);
    Program program(folder, train({"--resume", "auto"}));
    const auto lines = count_lines(run / "metrics.jsonl");
    if (attempt % 2 == 1) {
      program.wait_until([&] {
        return count_lines(run / "metrics.jsonl") > lines && saving(run);
      });
    } else {
      if (attempt > 2) {
        program.wait_until([&] { return has(program.errors(), "step="); });
      }
      std::this_thread::sleep_for(
          std::chrono::microseconds(moments.below(150'000)));
    }
    program.send(SIGKILL);
    if (program.exit_code() != 128 + SIGKILL) {
      // It was faster: begin again.
      fs::remove_all(run);
      continue;
    }
    ++kills;
    left_half_saved += saving(run) ? 1 : 0;
  }
  EXPECT_GE(left_half_saved, 1);
  Program last(folder, train({"--resume", "auto"}));
  ASSERT_EQ(finished(last), 0);

  const fs::path whole = folder / "straight";
  for (const char* name :
       {"policy/steering.safetensors",
        "policy/model.safetensors",
        "policy/moft.json",
        "samples.jsonl",
        "checkpoints/step-40/optimizer.safetensors"}) {
    EXPECT_EQ(read_all(whole / name), read_all(run / name)) << name;
    EXPECT_FALSE(read_all(run / name).empty()) << name;
  }
  EXPECT_EQ(timeless_metrics(run), timeless_metrics(whole));
  EXPECT_EQ(timeless_metrics(run).size(), 40U);
  EXPECT_EQ(names_in(run / "checkpoints"), (Words{"step-39", "step-40"}));
  const auto names = names_in(run);
  EXPECT_TRUE(std::none_of(names.begin(), names.end(), is_temporary));
}

TEST(Train, TheFirstInterruptSavesAndSaysHowToGoOn) {
  for (const auto& [signal, code] :
       {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const Scratch scratch;
    write_tiny_task(scratch.path());
    const fs::path run = scratch.path() / "run";
    Program program(
        scratch.path(),
        train({"training.steps=100000", "training.checkpoint.every=null"}));
    ASSERT_TRUE(program.wait_until(
        [&] { return count_lines(run / "metrics.jsonl") >= 2; }));
    program.send(signal);
    EXPECT_EQ(program.exit_code(), code) << program.errors();
    EXPECT_TRUE(has(program.errors(), "--resume auto")) << program.errors();
    const auto steps = count_lines(run / "metrics.jsonl");
    EXPECT_EQ(
        names_in(run / "checkpoints"), Words{"step-" + std::to_string(steps)});
    EXPECT_FALSE(fs::exists(run / "policy"));
    const auto end = std::to_string(steps + 2);
    Program again(
        scratch.path(), train({"training.steps=" + end, "--resume", "auto"}));
    EXPECT_EQ(finished(again), 0);
    EXPECT_EQ(count_lines(run / "metrics.jsonl"), steps + 2);
  }
}

TEST(Train, TheSecondInterruptEndsItAtOnce) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  // A step of many seconds.
  Program program(
      scratch.path(),
      train(
          {"training.prompts_per_step=200",
           "training.samples_per_prompt=200",
           "training.max_new_tokens=40"}));
  ASSERT_TRUE(
      program.wait_until([&] { return has(program.errors(), "compute "); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  program.send(SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(program.running());
  program.send(SIGINT);
  EXPECT_EQ(program.exit_code(), 130);
  EXPECT_FALSE(has(program.errors(), "stopped"));
  EXPECT_TRUE(names_in(scratch.path() / "run/checkpoints").empty());
}

TEST(Train, AnOutputThatHoldsARunIsNotTouchedUnlessAskedTo) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  const fs::path run = scratch.path() / "run";
  Program first(scratch.path(), train({"training.steps=2"}));
  ASSERT_EQ(finished(first), 0);
  EXPECT_TRUE(has(first.output(), "moft sweep")) << first.output();
  const std::string metrics = read_all(run / "metrics.jsonl");

  Program second(scratch.path(), train({"training.steps=2"}));
  EXPECT_EQ(second.exit_code(), 2);
  EXPECT_TRUE(has(second.errors(), "--resume auto")) << second.errors();
  EXPECT_TRUE(has(second.errors(), "--overwrite")) << second.errors();
  EXPECT_EQ(read_all(run / "metrics.jsonl"), metrics);

  Program third(scratch.path(), train({"training.steps=1", "--overwrite"}));
  ASSERT_EQ(finished(third), 0);
  EXPECT_EQ(count_lines(run / "metrics.jsonl"), 1U);
}

TEST(Train, ResumingRefusesWhatWouldChangeTheResult) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Program first(scratch.path(), train({"training.steps=2"}));
  ASSERT_EQ(finished(first), 0);
  const auto refused = [&](const Words& more, const std::string& words) {
    Words all = {"training.steps=4", "--resume", "auto"};
    all.insert(all.end(), more.begin(), more.end());
    Program program(scratch.path(), train(all));
    EXPECT_EQ(program.exit_code(), 2) << words;
    EXPECT_TRUE(has(program.errors(), words)) << program.errors();
  };
  refused({"training.seed=2"}, "training.seed");
  refused(
      {"training.optimizer.learning_rate=0.02"},
      "training.optimizer.learning_rate");
  refused({"objectives.b.regex.pattern=c"}, "objectives.b.regex.pattern");
  refused(
      {"training.memory_budget=4"},
      "training.memory_budget, which can change the result, if only by "
      "rounding; resume with the same value");
  refused({"training.steps=1"}, "has 2 finished steps");
  refused({"--overwrite"}, "contradict");
  const std::string train_file = read_all(scratch.path() / "train.jsonl");
  {
    std::ofstream more(scratch.path() / "train.jsonl", std::ios::app);
    more << R"({"word": "ten"})"
         << "\n";
  }
  refused({}, "data.train");
  std::ofstream(scratch.path() / "train.jsonl") << train_file;
  const fs::path weights = scratch.path() / "base/model.safetensors";
  std::string bytes = read_all(weights);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  // A new file: the policy directory is linked to the old one.
  fs::remove(weights);
  std::ofstream(weights, std::ios::binary) << bytes;
  refused({}, "base weights model.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  fs::remove(weights);
  std::ofstream(weights, std::ios::binary) << bytes;
  Program same(scratch.path(), train({"training.steps=4", "--resume", "run"}));
  EXPECT_EQ(finished(same), 0);
  EXPECT_EQ(count_lines(scratch.path() / "run/metrics.jsonl"), 4U);
}

TEST(Train, AFullDiskIsOneSentenceAndKeepsOlderCheckpoints) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  const fs::path run = scratch.path() / "run";
  Program first(scratch.path(), train({"training.steps=2"}));
  ASSERT_EQ(finished(first), 0);
  const auto size =
      fs::file_size(run / "checkpoints/step-2/optimizer.safetensors");
  const auto before = names_in(run / "checkpoints");
  Program full(
      scratch.path(),
      train({"training.steps=4", "--resume", "auto"}),
      size - 1);
  EXPECT_EQ(full.exit_code(), 1);
  const std::string errors = full.errors();
  const std::string last =
      errors.substr(errors.rfind('\n', errors.size() - 2) + 1);
  EXPECT_TRUE(last.starts_with("moft: ")) << errors;
  EXPECT_TRUE(has(last, "optimizer.safetensors")) << errors;
  EXPECT_EQ(names_in(run / "checkpoints"), before);
  Program again(
      scratch.path(), train({"training.steps=4", "--resume", "auto"}));
  EXPECT_EQ(finished(again), 0);
}

TEST(Train, AGuardEndsItWithTheFigure) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Program program(
      scratch.path(),
      train(
          {"training.guards.distinct_floor=1",
           "training.guards.patience=1",
           "training.samples_per_prompt=40"}));
  EXPECT_EQ(program.exit_code(), 1);
  EXPECT_TRUE(has(program.errors(), "training.guards.distinct_floor = 1"))
      << program.errors();
}

TEST(Train, EvaluatesTheFrontWhileTraining) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Program program(
      scratch.path(),
      train({"training.steps=4", "training.evaluation.every=2"}));
  ASSERT_EQ(finished(program), 0);
  const auto lines = timeless_metrics(scratch.path() / "run");
  ASSERT_EQ(lines.size(), 4U);
  for (const nlohmann::json& line : lines) {
    const bool evaluated = line.at("step").get<int>() % 2 == 0;
    EXPECT_EQ(line.contains("evaluation/moft_value"), evaluated);
    EXPECT_EQ(line.contains("evaluation/a=0.5,b=0.5/rewards/a"), evaluated);
  }
}

TEST(Train, ProgressLinesHaveTheirKeys) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  Program program(scratch.path(), train({"training.steps=3"}));
  ASSERT_EQ(finished(program), 0);
  std::istringstream errors(program.errors());
  int steps = 0;
  for (std::string line; std::getline(errors, line);) {
    if (!line.starts_with("step=")) continue;
    ++steps;
    EXPECT_TRUE(
        line.starts_with("step=" + std::to_string(steps) + "/3 reward="))
        << line;
    for (const char* key :
         {" a=",
          " b=",
          " kl=",
          " tokens_per_second=",
          " rollout=",
          " rewards=",
          " reference=",
          " policy=",
          " optimizer=",
          " time_left="}) {
      EXPECT_TRUE(has(line, key)) << key << " in " << line;
    }
  }
  EXPECT_EQ(steps, 3);
}

// Opening this base warns once.
TEST(Train, OpensItsBaseOnce) {
  const Scratch scratch;
  write_tiny_task(scratch.path());
  const fs::path file = scratch.path() / "base/config.json";
  auto config = nlohmann::json::parse(read_all(file));
  config["tie_word_embeddings"] = true;
  std::ofstream(file) << config;
  const Ended run = run_program(scratch.path(), train({"training.steps=1"}));
  ASSERT_EQ(run.code, 0) << run.errors;
  const std::string warning = "moft uses the head that is in the file";
  const std::size_t first = run.errors.find(warning);
  ASSERT_NE(first, std::string::npos) << run.errors;
  EXPECT_EQ(run.errors.find(warning, first + 1), std::string::npos)
      << run.errors;
}

}  // namespace
}  // namespace moft::test
