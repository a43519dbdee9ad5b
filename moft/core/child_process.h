// A program that is asked in lines: requests to its standard input, answers
// from its standard output.
//
// The program and whatever it starts form a process group of their own, and so
// does a watcher, a shell that waits at a pipe whose other end only this
// process holds. When this process ends, in whatever way (kill -9 too), the
// watcher reads the end of the pipe and kills the group. A program that
// leaves its group is out of reach.
//
// Thread safety: one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace moft {

class ChildProcess {
 public:
  using Clock = std::chrono::steady_clock;
  using OnLine = std::function<void(const std::string& line)>;

  // The longest line that it may answer.
  static constexpr std::size_t kLongestLine = std::size_t{1} << 26;

  // `command`: program (looked for on PATH unless it holds '/') and arguments;
  // not empty. on_error_line: called for each line of its standard error, while
  // this process waits for it. CallerError when it cannot be started.
  ChildProcess(const std::vector<std::string>& command, OnLine on_error_line);
  // Closes its standard input, gives it a moment to end, then kills the group.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  enum class Answer { kLine, kTooLong, kLate, kEnded, kStopped };
  // Sends `text` and waits for the next line, which `line` gets without its
  // end. kLate: not before `deadline`; kEnded: the program has ended, or closed
  // its standard output; kStopped: `stopped` became true.
  Answer ask(
      std::string_view text,
      Clock::time_point deadline,
      const std::atomic<bool>& stopped,
      std::string& line);

  // "exit code 1", "signal 9 (Killed)"; none while it runs.
  std::optional<std::string> end();
  // The last line of its standard error that is not blank.
  const std::string& last_error_line() const { return last_error_line_; }

 private:
  class Pipe;

  void start(const std::vector<std::string>& command);
  bool take_line(std::string& line);
  void receive();
  void receive_errors();
  void kill_group() const;

  OnLine on_error_line_;
  std::string last_error_line_;
  pid_t watcher_ = -1;  // also the group
  pid_t child_ = -1;
  std::optional<int> status_;
  int life_ = -1;  // what the watcher waits at
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string received_;  // of its standard output, not yet taken
  std::size_t scanned_ = 0;
  std::string errors_;  // an unfinished line
};

}  // namespace moft
