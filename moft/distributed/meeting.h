// How the ranks of one start find each other in a store, and compare what they
// are about to run.
//
// The store may hold keys of earlier starts: torchrun's agent keeps its store
// over restarts, and no variable numbers the starts (TORCHELASTIC_RESTART_COUNT
// counts the failures of one agent, so it can differ between machines). Rank 0
// therefore draws a name and publishes it; every other rank says which name it
// read, with a word of its own; rank 0 repeats what it says. A rank that read
// the name of an earlier start gets no answer, and reads again until the new
// one is there.
//
// Thread safety: any thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "moft/distributed/handshake.h"

namespace moft {

// What is asked of a store; both may throw.
struct KeyStore {
  std::function<void(const std::string& key, const std::string& value)> set;
  // Empty: no such key.
  std::function<std::string(const std::string& key)> find;
};

struct MeetingOptions {
  int rank = 0;
  int size = 1;
  // For the others to come.
  std::chrono::milliseconds timeout{};
  // How long this rank stays for the others to read what it wrote: the one
  // whose process has the store.
  std::chrono::milliseconds stay{};
  // Asked while others are waited for, or null; true: StoppedWaiting.
  std::function<bool()> stop_requested = nullptr;
};

// A name for this start, the same on every rank and new. Each rank has written
// `text` under "<name>/join/<rank>" then. Rank 0 has a name in any case;
// another rank gets "" when rank 0 has not answered by the deadline.
std::string agree_on_start(
    const KeyStore& store,
    const std::string& text,
    const MeetingOptions& options,
    std::chrono::steady_clock::time_point deadline);

// agree_on_start(), then waits for every rank's handshake. Throws WorldError
// that names the ranks that have not come, CallerError from check_same().
std::string meet(
    const KeyStore& store,
    const Handshake& handshake,
    const MeetingOptions& options);

}  // namespace moft
