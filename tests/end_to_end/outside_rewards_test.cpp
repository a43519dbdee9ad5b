// Recipes whose rewards come from outside, as their user meets them.
#include <csignal>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

// As TRL's documentation has them.
constexpr const char* kFunctions = R"(import os, subprocess, sys, time

with open("starts", "a") as file:
    file.write("started\n")

def tidy(completions, word, **kwargs):
    assert len(word) == len(completions)
    print("tidy is called")
    return [0.0 if "a" in c else 1.0 for c in completions]

async def long(prompts, completions, trainer_state, **kwargs):
    if os.path.exists("broken") and trainer_state.global_step == 2:
        raise RuntimeError("the judge is out of tokens")
    return [len(c) / 10 for c in completions]

def slow(completions, **kwargs):
    time.sleep(0.1)
    return [0.0 if "a" in c else 1.0 for c in completions]

def with_child(completions, **kwargs):
    if not os.path.exists("grandchild"):
        child = subprocess.Popen(["sleep", "1000"])
        with open("grandchild.new", "w") as file:
            file.write(f"{os.getpid()} {child.pid}")
        os.rename("grandchild.new", "grandchild")
    return [1.0 for _ in completions]

def stalls(completions, trainer_state, **kwargs):
    if trainer_state.global_step == 2 and not os.path.exists("judge"):
        open("waits", "w").close()
        time.sleep(1000)
    return [0.0 if "a" in c else 1.0 for c in completions]
)";

class OutsideRewards : public testing::Test {
 protected:
  OutsideRewards() {
    write_tiny_task(folder());
    write_tiny_text(folder() / "my_rewards.py", kFunctions);
    use("  a: {python: {file: my_rewards.py, function: tidy}}\n"
        "  b: {python: {file: my_rewards.py, function: long}}\n");
  }

  const fs::path& folder() const { return scratch_.path(); }

  // Puts these objectives in the place of the recipe's.
  void use(const std::string& objectives) {
    std::string recipe = read_all(folder() / "recipe.yaml");
    const std::size_t begin = recipe.find("objectives:\n") + 12;
    const std::size_t end = recipe.find("conditioning:");
    recipe.replace(begin, end - begin, objectives);
    write_tiny_text(folder() / "recipe.yaml", recipe);
  }

  Ended train(const Words& more = {}) {
    return run_program(
        folder(), with({"train", "recipe.yaml", "training.steps=4"}, more));
  }

  // Kills a run whose reward has started a program: all of them are gone.
  void expect_nothing_left(const std::string& run);

  Scratch scratch_;
};

TEST_F(OutsideRewards, ATrlFileTrainsAndItsTimesAreInTheMetrics) {
  const Ended ended = train();
  ASSERT_EQ(ended.code, 0) << ended.errors;
  EXPECT_TRUE(has(ended.errors, "[my_rewards.py] tidy is called"));
  std::istringstream lines(read_all(folder() / "run/metrics.jsonl"));
  int steps = 0;
  for (std::string line; std::getline(lines, line); ++steps) {
    const auto metrics = nlohmann::json::parse(line);
    EXPECT_TRUE(metrics.contains("time/rewards/a")) << line;
    EXPECT_TRUE(metrics.contains("time/rewards/b")) << line;
    EXPECT_LE(metrics["rewards/a/mean"], 1.0);
  }
  EXPECT_EQ(steps, 4);
  // By the check before the run, which uses the same process.
  EXPECT_EQ(count_lines(folder() / "starts"), 1u);
}

TEST_F(OutsideRewards, AreEvaluatedAndCalibrated) {
  ASSERT_EQ(train().code, 0);
  const Ended evaluated = run_program(folder(), {"evaluate", "run"});
  EXPECT_EQ(evaluated.code, 0) << evaluated.errors;
  EXPECT_TRUE(has(evaluated.errors, "[my_rewards.py] tidy is called"));
  const Ended calibrated = run_program(folder(), {"calibrate", "recipe.yaml"});
  EXPECT_EQ(calibrated.code, 0) << calibrated.errors;
  EXPECT_TRUE(has(calibrated.errors, "[my_rewards.py] tidy is called"));
  // Answers are written without them.
  const Ended generated = run_program(
      folder(), {"generate", "run", "--weights", "a=1,b=0", "--prompt", "x"});
  EXPECT_FALSE(has(generated.errors, "tidy is called")) << generated.errors;
}

TEST_F(OutsideRewards, AnInterruptedRunResumesToTheSameBits) {
  use("  a: {python: {file: my_rewards.py, function: slow}}\n"
      "  b: {regex: {pattern: b}}\n");
  ASSERT_EQ(train({"--output", "straight"}).code, 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string run = "run" + std::to_string(signal);
    Program program(
        folder(),
        {"train", "recipe.yaml", "training.steps=4", "--output", run});
    ASSERT_TRUE(program.wait_until([&] {
      return has(program.errors(), "step=1/4");
    })) << program.errors();
    program.send(signal);
    ASSERT_EQ(program.exit_code(), 128 + signal) << program.errors();
    ASSERT_EQ(train({"--output", run, "--resume", "auto"}).code, 0);
    const std::string weights = "policy/steering.safetensors";
    EXPECT_EQ(
        read_all(folder() / run / weights),
        read_all(folder() / "straight" / weights));
  }
}

// The first signal ends the wait for a reward; the step is done again later.
TEST_F(OutsideRewards, AWaitForARewardEndsAtTheFirstSignal) {
  use("  a: {python: {file: my_rewards.py, function: stalls}}\n"
      "  b: {regex: {pattern: b}}\n");
  write_tiny_text(folder() / "judge", "");
  ASSERT_EQ(train({"--output", "straight"}).code, 0);
  fs::remove(folder() / "judge");
  Program program(
      folder(),
      {"train", "recipe.yaml", "training.steps=4", "--output", "run"});
  ASSERT_TRUE(program.wait_until([&] {
    return fs::exists(folder() / "waits");
  })) << program.errors();
  const auto start = std::chrono::steady_clock::now();
  program.send(SIGTERM);
  EXPECT_EQ(program.exit_code(), 128 + SIGTERM) << program.errors();
  // Not the 1000 s of the function, and not its timeout of 180 s.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_TRUE(has(program.errors(), "stopped after step 2; resume with: "))
      << program.errors();
  write_tiny_text(folder() / "judge", "");
  ASSERT_EQ(train({"--output", "run", "--resume", "auto"}).code, 0);
  const std::string weights = "policy/steering.safetensors";
  EXPECT_EQ(
      read_all(folder() / "run" / weights),
      read_all(folder() / "straight" / weights));
}

TEST_F(OutsideRewards, AFailureStopsTheRunAndResumingEndsWithTheSameBits) {
  ASSERT_EQ(train({"--output", "straight"}).code, 0);
  write_tiny_text(folder() / "broken", "");
  const Ended ended = train();
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(
      has(ended.errors,
          "stopped at step 3: reward 'a': b raised "
          "RuntimeError: the judge is out of tokens"))
      << ended.errors;
  EXPECT_TRUE(has(ended.errors, "; prompt '")) << ended.errors;
  EXPECT_TRUE(has(ended.errors, "the last good checkpoint is")) << ended.errors;
  fs::remove(folder() / "broken");
  ASSERT_EQ(train({"--resume", "auto"}).code, 0);
  const std::string weights = "policy/steering.safetensors";
  EXPECT_EQ(
      read_all(folder() / "run" / weights),
      read_all(folder() / "straight" / weights));
}

bool is_gone(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;
  return text[text.rfind(')') + 2] == 'Z';
}

void OutsideRewards::expect_nothing_left(const std::string& run) {
  Program program(
      folder(),
      {"train", "recipe.yaml", "training.steps=100000", "--output", run});
  ASSERT_TRUE(program.wait_until([&] {
    return fs::exists(folder() / "grandchild");
  })) << program.errors();
  std::istringstream text(read_all(folder() / "grandchild"));
  int host = 0;
  int grandchild = 0;
  text >> host >> grandchild;
  EXPECT_FALSE(is_gone(host) || is_gone(grandchild));
  program.send(SIGKILL);
  program.exit_code();
  for (int tries = 0; tries < 2000; ++tries) {
    if (is_gone(host) && is_gone(grandchild)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(is_gone(host));
  EXPECT_TRUE(is_gone(grandchild));
}

// As a function and as a program that is asked in lines.
TEST_F(OutsideRewards, NoProcessOutlivesAKilledRun) {
  use("  a: {python: {file: my_rewards.py, function: with_child}}\n"
      "  b: {regex: {pattern: b}}\n");
  expect_nothing_left("first");
  fs::remove(folder() / "grandchild");
  write_tiny_text(
      folder() / "scorer.py",
      std::string(kFunctions) +
          "import json\n"
          "for line in sys.stdin:\n"
          "    call = json.loads(line)\n"
          "    values = with_child(call['completions'])\n"
          "    reply = {'id': call['id'], 'rewards': {'a': values}}\n"
          "    print(json.dumps(reply), flush=True)\n");
  use("  a: {command: {run: [python3, scorer.py]}}\n"
      "  b: {regex: {pattern: b}}\n");
  expect_nothing_left("second");
}

// The first block of a language below a heading of docs/rewards.md.
std::string block_of_docs(
    const std::string& heading, const std::string& language) {
  const std::string page = read_all(MOFT_SOURCE_DIR "/docs/rewards.md");
  const std::string open = "```" + language + "\n";
  const std::size_t begin =
      page.find(open, page.find("\n## " + heading + "\n")) + open.size();
  return page.substr(begin, page.find("```", begin) - begin);
}

std::string objectives_of_docs(const std::string& heading) {
  return block_of_docs(heading, "yaml").substr(sizeof "objectives:\n" - 1);
}

TEST_F(OutsideRewards, ThePageSPythonFunctionsTrain) {
  write_tiny_text(
      folder() / "my_rewards.py", block_of_docs("Python functions", "python"));
  use(objectives_of_docs("Python functions"));
  const Ended ended = train();
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_TRUE(has(read_all(folder() / "run/metrics.jsonl"), "rewards/tidy/"));
}

TEST_F(OutsideRewards, ThePageSProgramTrains) {
  write_tiny_text(folder() / "scorer.py", block_of_docs("Programs", "python"));
  use(objectives_of_docs("Programs") + "  b: {regex: {pattern: b}}\n");
  const Ended ended = train();
  EXPECT_EQ(ended.code, 0) << ended.errors;
}

TEST_F(OutsideRewards, ThePageSServerTrains) {
  const std::string script = MOFT_SOURCE_DIR "/tests/rewards/outside/server.py";
  std::string start = "python3 " + script + " " + folder().string() + " & echo";
  start += " $! > " + (folder() / "server").string();
  ASSERT_EQ(std::system(start.c_str()), 0);
  while (!fs::exists(folder() / "port"))
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::string objectives = objectives_of_docs("Servers");
  for (const std::string shown = "9000/score"; has(objectives, shown);)
    objectives.replace(
        objectives.find(shown),
        shown.size(),
        read_all(folder() / "port") + "/named");
  use(objectives);
  const Ended ended = train();
  ::kill(std::stoi(read_all(folder() / "server")), SIGKILL);
  EXPECT_EQ(ended.code, 0) << ended.errors;
  // Six prompts a step, both objectives in one call.
  EXPECT_EQ(count_lines(folder() / "requests"), 4u * 6u);
}

TEST_F(OutsideRewards, RecipeCheckNamesAFunctionThatIsNotThere) {
  use("  a: {python: {file: my_rewards.py, function: tidi}}\n");
  const Ended ended = run_program(folder(), {"recipe", "check", "recipe.yaml"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(
      has(ended.output + ended.errors,
          "my_rewards.py has no function 'tidi'; it has tidy, long, slow, "
          "with_child"))
      << ended.output << ended.errors;
}

}  // namespace
}  // namespace moft::test
