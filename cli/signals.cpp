#include "cli/signals.h"

#include <atomic>
#include <string_view>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace moft {
namespace {

std::atomic<int> first_signal{0};
std::atomic<bool> interrupted{false};  // by SIGINT or SIGTERM
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) {
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  if (signal == SIGHUP || !interrupted.exchange(true)) return;
  ::_exit(128 + signal);
}

void on_bus_error(int /*signal*/) {
  constexpr std::string_view kMessage =
      "moft: a model's file was made shorter while it was read, or its disk "
      "failed; put the file back and run the command again\n";
  // There is nothing to do about a failure.
  (void)!::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(1);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

}  // namespace

void catch_interrupts() {
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
  if (!is_ignored(SIGHUP)) handle(SIGHUP, on_signal);
  ::signal(SIGXFSZ, SIG_IGN);
  outlive_closed_pipes();
}

int interrupted_by() {
  return first_signal.load();
}

void outlive_closed_pipes() {
  ::signal(SIGPIPE, SIG_IGN);
}

void report_bus_errors() {
  handle(SIGBUS, on_bus_error);
}

void hold_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream) {
    // The lowest free number is the stream's own.
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", O_RDWR);
  }
}

}  // namespace moft
