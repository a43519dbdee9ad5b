// Posts this rank's beat (heartbeat.h) every second, and asks a store that may
// not answer.
//
// Thread safety: any thread.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "moft/distributed/heartbeat.h"

namespace moft {

class Pulse {
 public:
  // Writes a beat where the others read it. Called from the caller's thread and
  // from a thread of its own, one call at a time; what it throws is ignored. It
  // owns what it uses: it may outlive the pulse when it does not return.
  using Post = std::function<void(const std::string& beat)>;

  // Posts the first beat before it returns.
  Pulse(Post post, std::chrono::milliseconds every);
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;
  // Waits at most five seconds for a post under way.
  ~Pulse();

  // The next exchange begins; posted with the next beat.
  void begin(std::string_view name);
  // Posts at once that this rank leaves. The first call counts.
  void leave(const std::string& reason);
  Beat beat() const;

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
  std::future<void> ended_;
  std::thread thread_;
};

// What `ask` returns, or nothing when it throws or takes longer than
// `patience`; then a thread that waits for it stays behind, so `ask` owns what
// it uses.
template <typename Ask>
auto answer_within(std::chrono::milliseconds patience, Ask ask)
    -> std::optional<decltype(ask())> {
  std::promise<decltype(ask())> promise;
  auto answer = promise.get_future();
  std::thread([result = std::move(promise),
               question = std::move(ask)]() mutable {
    try {
      result.set_value(question());
    } catch (...) {
      result.set_exception(std::current_exception());
    }
  }).detach();
  if (answer.wait_for(patience) != std::future_status::ready)
    return std::nullopt;
  try {
    return answer.get();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace moft
