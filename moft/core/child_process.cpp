// Starting, asking and ending a child process.
#include "moft/core/child_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

extern char** environ;

namespace moft {
namespace {

using std::chrono::milliseconds;

// How often a waiting thread looks for an end that no pipe tells of.
constexpr int kLookEveryMs = 50;
constexpr milliseconds kGrace{1000};

void close_once(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// Starts programs with given descriptors as 0, 1 and 2, default signals, and
// in a process group.
class Spawn {
 public:
  Spawn() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setflags(
        &attributes_,
        POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  void use(int descriptor, int as) {
    posix_spawn_file_actions_adddup2(&actions_, descriptor, as);
  }
  // Returns errno. group 0: its own.
  int run(std::vector<std::string> words, pid_t group, pid_t& process) {
    posix_spawnattr_setpgroup(&attributes_, group);
    std::vector<char*> pointers;
    for (std::string& word : words)
      pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return posix_spawnp(
        &process,
        pointers.front(),
        &actions_,
        &attributes_,
        pointers.data(),
        environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// While it lives, writing into a closed pipe is an error of write() and not a
// signal.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before_);
  }
  ~NoPipeSignal() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    const timespec now{};
    while (sigtimedwait(&pipe, nullptr, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

// Both ends are closed in programs started by others.
class ChildProcess::Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_CLOEXEC) != 0)
      throw_world_error("cannot make a pipe: {}", std::strerror(errno));
  }
  ~Pipe() {
    close_once(ends_[0]);
    close_once(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  int keep_reading() { return keep(0); }
  int keep_writing() { return keep(1); }

 private:
  int keep(int end) {
    ::fcntl(ends_[end], F_SETFL, O_NONBLOCK);
    return std::exchange(ends_[end], -1);
  }
  int ends_[2] = {-1, -1};
};

ChildProcess::ChildProcess(
    const std::vector<std::string>& command, OnLine on_error_line)
    : on_error_line_(std::move(on_error_line)) {
  start(command);
}

void ChildProcess::start(const std::vector<std::string>& command) {
  Pipe life;
  Pipe in;
  Pipe out;
  Pipe err;
  // The watcher first: the program joins its group.
  Spawn watcher;
  watcher.use(life.reading(), 0);
  int error = watcher.run(
      {"/bin/sh", "-c", "read -r line; kill -9 -$$"}, /*group=*/0, watcher_);
  if (error != 0)
    throw_world_error("cannot start /bin/sh: {}", std::strerror(error));
  life_ = life.keep_writing();
  Spawn program;
  program.use(in.reading(), 0);
  program.use(out.writing(), 1);
  program.use(err.writing(), 2);
  error = program.run(command, watcher_, child_);
  if (error != 0) {
    child_ = -1;
    kill_group();
    ::waitpid(watcher_, nullptr, 0);
    close_once(life_);
    throw_caller_error(
        "the program {} cannot be started: {}; give one that is on PATH, or "
        "its path",
        quote_text(command.front(), 200),
        std::strerror(error));
  }
  in_ = in.keep_writing();
  out_ = out.keep_reading();
  err_ = err.keep_reading();
}

ChildProcess::~ChildProcess() {
  close_once(in_);
  const auto until = Clock::now() + kGrace;
  while (!end() && Clock::now() < until) {
    receive_errors();
    std::this_thread::sleep_for(milliseconds(5));
  }
  receive_errors();
  kill_group();
  if (!status_) ::waitpid(child_, nullptr, 0);
  ::waitpid(watcher_, nullptr, 0);
  close_once(life_);
  close_once(out_);
  close_once(err_);
}

void ChildProcess::kill_group() const {
  ::kill(-watcher_, SIGKILL);
  // It may not have become a group's leader yet.
  ::kill(watcher_, SIGKILL);
}

std::optional<std::string> ChildProcess::end() {
  if (!status_) {
    int status = 0;
    if (::waitpid(child_, &status, WNOHANG) != child_) return std::nullopt;
    status_ = status;
  }
  if (WIFSIGNALED(*status_)) {
    const int signal = WTERMSIG(*status_);
    return fmt::format("signal {} ({})", signal, ::strsignal(signal));
  }
  return fmt::format("exit code {}", WEXITSTATUS(*status_));
}

bool ChildProcess::take_line(std::string& line) {
  const std::size_t at = received_.find('\n', scanned_);
  if (at == std::string::npos) {
    scanned_ = received_.size();
    return false;
  }
  line = received_.substr(0, at);
  received_.erase(0, at + 1);
  scanned_ = 0;
  return true;
}

namespace {

// Appends what can be read now; false at the end of the file.
bool read_some(int descriptor, std::string& to) {
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count > 0) {
      to.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
}

}  // namespace

void ChildProcess::receive() {
  if (out_ >= 0 && !read_some(out_, received_)) close_once(out_);
}

void ChildProcess::receive_errors() {
  if (err_ >= 0 && !read_some(err_, errors_)) {
    close_once(err_);
    if (!errors_.empty()) errors_ += '\n';
  }
  std::size_t begin = 0;
  for (std::size_t at; (at = errors_.find('\n', begin)) != std::string::npos;
       begin = at + 1) {
    const std::string line = errors_.substr(begin, at - begin);
    if (trimmed(line).empty()) continue;
    last_error_line_ = line;
    if (on_error_line_) on_error_line_(line);
  }
  errors_.erase(0, begin);
}

ChildProcess::Answer ChildProcess::ask(
    std::string_view text,
    Clock::time_point deadline,
    const std::atomic<bool>& stopped,
    std::string& line) {
  const NoPipeSignal quiet;
  for (;;) {
    // Before the answer, what the program printed on its way to it.
    receive_errors();
    if (take_line(line)) return Answer::kLine;
    if (received_.size() > kLongestLine) return Answer::kTooLong;
    if (stopped) return Answer::kStopped;
    if (out_ < 0 || end()) {
      receive();
      receive_errors();
      return take_line(line) ? Answer::kLine : Answer::kEnded;
    }
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return Answer::kLate;
    pollfd waiting[3] = {
        {out_, POLLIN, 0},
        {err_, POLLIN, 0},
        {text.empty() ? -1 : in_, POLLOUT, 0}};
    const auto wait =
        std::min<milliseconds::rep>(kLookEveryMs, left.count() + 1);
    ::poll(waiting, 3, static_cast<int>(wait));
    receive();
    if ((waiting[2].revents & POLLOUT) != 0) {
      const ssize_t sent = ::write(in_, text.data(), text.size());
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
    }
    if ((waiting[2].revents & (POLLERR | POLLHUP)) != 0) text = {};
  }
}

}  // namespace moft
