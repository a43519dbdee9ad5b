// A thread that posts beats.
#include "moft/distributed/pulse.h"

#include <condition_variable>
#include <mutex>

namespace moft {
namespace {

constexpr std::chrono::seconds kPatience{5};

}  // namespace

struct Pulse::Shared {
  Post post;
  std::chrono::milliseconds every;
  std::mutex mutex;
  std::condition_variable wake;
  Beat beat;
  bool stopped = false;
  // Orders the posts, so that an old beat never follows a new one.
  std::mutex posting;

  void post_beat() {
    const std::lock_guard order(posting);
    std::string text;
    {
      const std::lock_guard lock(mutex);
      ++beat.count;
      text = write_beat(beat);
    }
    try {
      post(text);
    } catch (const std::exception&) {
      // The next exchange says what is wrong.
    }
  }

  void run() {
    while (true) {
      {
        std::unique_lock lock(mutex);
        if (wake.wait_for(lock, every, [&] { return stopped; })) return;
      }
      post_beat();
    }
  }
};

Pulse::Pulse(Post post, std::chrono::milliseconds every)
    : shared_(std::make_shared<Shared>()) {
  shared_->post = std::move(post);
  shared_->every = every;
  shared_->post_beat();
  std::promise<void> ended;
  ended_ = ended.get_future();
  thread_ =
      std::thread([shared = shared_, promise = std::move(ended)]() mutable {
        shared->run();
        promise.set_value();
      });
}

Pulse::~Pulse() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopped = true;
  }
  shared_->wake.notify_all();
  if (ended_.wait_for(kPatience) == std::future_status::ready) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void Pulse::begin(std::string_view name) {
  const std::lock_guard lock(shared_->mutex);
  ++shared_->beat.turn;
  shared_->beat.name = name;
}

void Pulse::leave(const std::string& reason) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->beat.left) return;
    shared_->beat.left = true;
    shared_->beat.reason = reason;
  }
  shared_->post_beat();
}

Beat Pulse::beat() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->beat;
}

}  // namespace moft
