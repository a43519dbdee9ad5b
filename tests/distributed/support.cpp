// Forks, and reads what each rank has to say through a pipe.
#include "support.h"

#include <csignal>
#include <stdexcept>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include "moft/distributed/master_address.h"

namespace moft::testing_ranks {
namespace {

void write_all(int descriptor, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count =
        ::write(descriptor, text.data() + done, text.size() - done);
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

// Ends the child without what the parent's end would do.
[[noreturn]] void run_child(
    int output, const Launch& launch, const RankProcess::Body& body) {
  // A rank that hangs must not outlive the test for long.
  ::alarm(120);
  int status = 0;
  std::string text;
  try {
    text = body(launch);
  } catch (const std::exception& error) {
    status = 1;
    text = error.what();
  }
  write_all(output, text);
  ::_exit(status);
}

}  // namespace

RankProcess::RankProcess(const Launch& launch, const Body& body) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe");
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("fork");
  if (process_ == 0) {
    ::close(ends[0]);
    run_child(ends[1], launch, body);
  }
  ::close(ends[1]);
  output_ = ends[0];
}

RankProcess::RankProcess(RankProcess&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      output_(std::exchange(other.output_, -1)) {}

RankProcess::~RankProcess() {
  if (process_ <= 0) return;
  kill_now();
  finish();
}

Outcome RankProcess::finish() {
  Outcome outcome;
  char block[4096];
  ssize_t count = 0;
  while ((count = ::read(output_, block, sizeof block)) > 0)
    outcome.text.append(block, static_cast<std::size_t>(count));
  ::close(output_);
  int status = 0;
  ::waitpid(process_, &status, 0);
  outcome.status =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  process_ = -1;
  return outcome;
}

void RankProcess::kill_now() const {
  ::kill(process_, SIGKILL);
}

std::vector<Launch> local_launches(int size) {
  const int listener = bind_listener("127.0.0.1", 0);
  const std::uint16_t port = port_of(listener);
  ::close(listener);
  std::vector<Launch> launches(static_cast<std::size_t>(size));
  for (int rank = 0; rank < size; ++rank) {
    Launch& launch = launches[static_cast<std::size_t>(rank)];
    launch.launcher = Launcher::kMpirun;
    launch.rank = launch.local_rank = rank;
    launch.size = launch.local_size = size;
    launch.master_address = "127.0.0.1";
    launch.master_port = port;
  }
  return launches;
}

std::vector<RankProcess> start_ranks(
    const std::vector<Launch>& launches, const RankProcess::Body& body) {
  std::vector<RankProcess> processes;
  for (const Launch& launch : launches)
    processes.emplace_back(launch, body);
  return processes;
}

std::vector<Outcome> run_ranks(int size, const RankProcess::Body& body) {
  std::vector<RankProcess> processes = start_ranks(local_launches(size), body);
  std::vector<Outcome> outcomes;
  for (RankProcess& process : processes)
    outcomes.push_back(process.finish());
  return outcomes;
}

}  // namespace moft::testing_ranks
