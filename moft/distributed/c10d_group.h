// Joins the group that a launcher started: a TCPStore where the ranks meet,
// gloo for what they exchange.
//
// Only c10d_group.cpp includes c10d. The wheel brings c10d's headers and the
// compiled gloo, not gloo's headers: gloo_headers/ declares what c10d's need.
//
// Addresses: a store that rank 0 opens listens on the master's address only;
// gloo listens on the address from which the rank reaches the master, or on
// the interfaces in GLOO_SOCKET_IFNAME. Neither checks who connects.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "moft/distributed/group.h"
#include "moft/distributed/handshake.h"
#include "moft/distributed/launch.h"

namespace moft {

struct JoinOptions {
  // How long a rank waits for others, to join and in every exchange. Must
  // exceed the longest time that one rank works alone between exchanges. Above
  // zero.
  std::chrono::milliseconds timeout = std::chrono::seconds(600);
  // Between two beats of a rank. Above zero.
  std::chrono::milliseconds beat = std::chrono::seconds(1);
  // Whether this process is asked to stop, or null. Then it does not wait for
  // others to join, and in an exchange only as stop_patience.h says; it throws
  // StoppedWaiting in place of WorldError. A step is from one agree() to the
  // next, and ranks wait for one another in its barriers.
  std::function<bool()> stop_requested = nullptr;
  // From then on, for ranks that give no sign of life.
  std::chrono::milliseconds stop_wait = std::chrono::seconds(20);
};

// A group of one for a process alone; otherwise waits for all ranks, compares
// their handshakes, then connects them. Throws CallerError from check_same()
// and resolve_master(), on every rank; WorldError that names the ranks that
// have not joined.
//
// When an exchange fails, the rank watches the others' beats (heartbeat.h) for
// three beats to name the one at fault, up to ten more if the store does not
// answer. Destroying the group tells the others that this rank has left, and
// waits up to ten beats until those that are alive have left too; during an
// exception only rank 0 waits, and only if it opened the store.
//
// For more than one rank c10d's own log lines are turned off, unless
// TORCH_CPP_LOG_LEVEL is set, and SIGPIPE is ignored where it would end the
// process.
//
// After StoppedWaiting a thread of gloo's stays behind: the process should end.
std::unique_ptr<Group> join_group(
    const Launch& launch,
    const Handshake& handshake,
    const JoinOptions& options = {});

}  // namespace moft
