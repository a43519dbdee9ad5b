// Programs that are asked in lines: what they answer, and how they end.
#include "moft/core/child_process.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

using Clock = ChildProcess::Clock;
using std::chrono::milliseconds;

constexpr auto kSoon = std::chrono::seconds(20);

std::vector<std::string> shell(const std::string& script) {
  return {"/bin/sh", "-c", script};
}

// Neither there nor waiting to be reaped.
bool is_gone(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;
  return text[text.rfind(')') + 2] == 'Z';
}

bool is_gone_soon(pid_t process) {
  const auto until = Clock::now() + kSoon;
  while (!is_gone(process)) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

class Child : public testing::Test {
 protected:
  ChildProcess::Answer ask(
      ChildProcess& child,
      const std::string& text,
      Clock::duration wait = kSoon) {
    return child.ask(text, Clock::now() + wait, stopped_, line_);
  }

  std::atomic<bool> stopped_ = false;
  std::string line_;
};

TEST_F(Child, AnswersLineByLine) {
  ChildProcess child({"cat"}, nullptr);
  EXPECT_EQ(ask(child, "one\n"), ChildProcess::Answer::kLine);
  EXPECT_EQ(line_, "one");
  EXPECT_EQ(ask(child, "two\nthree\n"), ChildProcess::Answer::kLine);
  EXPECT_EQ(line_, "two");
  EXPECT_EQ(ask(child, ""), ChildProcess::Answer::kLine);
  EXPECT_EQ(line_, "three");
  // More than pipes hold, in both directions.
  const std::string much(5'000'000, 'x');
  EXPECT_EQ(ask(child, much + "\n"), ChildProcess::Answer::kLine);
  EXPECT_EQ(line_, much);
  EXPECT_FALSE(child.end());
}

TEST_F(Child, LinesOfItsStandardErrorAreSeenBeforeTheAnswer) {
  std::vector<std::string> said;
  ChildProcess child(
      shell("read x; echo first >&2; echo second >&2; echo done"),
      [&](const std::string& text) { said.push_back(text); });
  EXPECT_EQ(ask(child, "go\n"), ChildProcess::Answer::kLine);
  EXPECT_EQ(line_, "done");
  EXPECT_EQ(said, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(child.last_error_line(), "second");
}

TEST_F(Child, TellsHowItEnded) {
  ChildProcess leaves(shell("echo gone >&2; exit 3"), nullptr);
  EXPECT_EQ(ask(leaves, "much\n"), ChildProcess::Answer::kEnded);
  EXPECT_EQ(leaves.end(), "exit code 3");
  EXPECT_EQ(leaves.last_error_line(), "gone");
  ChildProcess killed(shell("kill -9 $$"), nullptr);
  EXPECT_EQ(ask(killed, "much\n"), ChildProcess::Answer::kEnded);
  EXPECT_EQ(killed.end(), "signal 9 (Killed)");
  // Its output is closed, but it lives.
  ChildProcess mute(shell("exec >&-; sleep 1000"), nullptr);
  EXPECT_EQ(ask(mute, ""), ChildProcess::Answer::kEnded);
}

TEST_F(Child, IsNotWaitedForBeyondTheDeadlineNorOnceStopped) {
  ChildProcess child(shell("sleep 1000"), nullptr);
  const auto start = Clock::now();
  EXPECT_EQ(ask(child, "", milliseconds(200)), ChildProcess::Answer::kLate);
  EXPECT_GE(Clock::now() - start, milliseconds(200));
  stopped_ = true;
  EXPECT_EQ(ask(child, ""), ChildProcess::Answer::kStopped);
  EXPECT_LT(Clock::now() - start, kSoon);
}

TEST_F(Child, AProgramThatIsNotThereIsRefused) {
  try {
    ChildProcess child({"no-such-program"}, nullptr);
    FAIL();
  } catch (const CallerError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "the program 'no-such-program' cannot be started: No such file or "
        "directory; give one that is on PATH, or its path");
  }
}

TEST_F(Child, WhatItStartedEndsWithIt) {
  pid_t grandchild = 0;
  {
    ChildProcess child(shell("sleep 1000 & echo $!; read x; wait"), nullptr);
    ASSERT_EQ(ask(child, ""), ChildProcess::Answer::kLine);
    grandchild = std::stoi(line_);
    EXPECT_FALSE(is_gone(grandchild));
  }
  EXPECT_TRUE(is_gone_soon(grandchild));
}

TEST_F(Child, ItAndWhatItStartedEndWhenItsUserIsKilled) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t user = ::fork();
  if (user == 0) {
    ChildProcess child(shell("sleep 1000 & echo $$ $!; sleep 1000"), nullptr);
    if (ask(child, "") != ChildProcess::Answer::kLine) ::_exit(1);
    line_ += "\n";
    if (::write(ends[1], line_.data(), line_.size()) < 0) ::_exit(1);
    ::pause();
    ::_exit(1);
  }
  ::close(ends[1]);
  char text[64] = {};
  ASSERT_GT(::read(ends[0], text, sizeof text - 1), 0);
  ::close(ends[0]);
  int child = 0;
  int grandchild = 0;
  ASSERT_EQ(std::sscanf(text, "%d %d", &child, &grandchild), 2);
  EXPECT_FALSE(is_gone(child) || is_gone(grandchild));
  ::kill(user, SIGKILL);
  ::waitpid(user, nullptr, 0);
  EXPECT_TRUE(is_gone_soon(child));
  EXPECT_TRUE(is_gone_soon(grandchild));
}

}  // namespace
}  // namespace moft
