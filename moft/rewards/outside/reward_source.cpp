// Workers, their queue, and repeated attempts.
#include "moft/rewards/outside/reward_source.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/rewards/outside/wire.h"

namespace moft {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;

RewardClock::duration seconds(double count) {
  return duration_cast<RewardClock::duration>(duration<double>(count));
}

// Waits of .5, 1, 2 .. 15 seconds, each between half of that and all of it, so
// that callers of a server that comes back do not all come at once: within a
// minute a call is repeated eight times.
class BackOff {
 public:
  double next() {
    const double whole = next_;
    next_ = std::min(2.0 * next_, 15.0);
    return whole * (0.5 + 0.5 * jitter());
  }

 private:
  // When a call fails is as good as random; nothing but time depends on it.
  static double jitter() {
    const auto now = RewardClock::now().time_since_epoch().count();
    return static_cast<double>(now / 1000 % 1009) / 1009.0;
  }

  double next_ = 0.5;
};

// Signals are the main thread's.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

class RewardSource::Workers {
 public:
  explicit Workers(const RewardSource& source) : source_(source) {}
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      for (const auto& known : batches_)
        if (const auto batch = known.lock()) batch->over = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_)
      thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void start() {
    const std::lock_guard lock(mutex_);
    const NoSignals inherited;
    const auto count = static_cast<std::size_t>(source_.options_.workers);
    while (threads_.size() < count) {
      threads_.emplace_back(
          [this, channel = std::exchange(source_.checked_, nullptr)]() mutable {
            work(std::move(channel));
          });
    }
  }

  std::future<RewardReply> add(
      RewardCall call, std::shared_ptr<SourceBatch> batch) {
    start();
    Job job{std::move(call), std::move(batch), {}};
    std::future<RewardReply> future = job.promise.get_future();
    {
      const std::lock_guard lock(mutex_);
      if (batches_.empty() || batches_.back().lock() != job.batch) {
        std::erase_if(batches_, [](const auto& b) { return b.expired(); });
        batches_.push_back(job.batch);
      }
      jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
    return future;
  }

 private:
  struct Job {
    RewardCall call;
    std::shared_ptr<SourceBatch> batch;
    std::promise<RewardReply> promise;
  };
  using Channel = std::unique_ptr<RewardChannel>;

  void work(Channel channel) {
    try {
      const auto deadline =
          RewardClock::now() + seconds(options().call_deadline);
      if (!channel) channel = open(deadline, stopped_);
    } catch (const std::exception&) {
      // The first call meets it too, and reports it.
    }
    while (auto job = take()) {
      try {
        job->promise.set_value(answer(*job, channel));
      } catch (...) {
        channel.reset();
        job->batch->over = true;
        job->promise.set_exception(std::current_exception());
      }
    }
  }

  std::optional<Job> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
    if (stopped_) return std::nullopt;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }

  Channel open(
      RewardClock::time_point deadline, const std::atomic<bool>& stopped) {
    return source_.open_(source_.outputs_, deadline, stopped);
  }

  RewardReply answer(Job& job, Channel& channel) {
    const auto start = RewardClock::now();
    const auto last =
        std::min(start + seconds(options().call_deadline), job.batch->deadline);
    BackOff waits;
    std::string why = "no worker was free in time";
    for (int attempt = 1;; ++attempt) {
      if (job.batch->over) throw GivenUp("the call was given up");
      if (RewardClock::now() >= last)
        throw std::runtime_error(give_up(why, attempt - 1, start, job));
      bool again = true;
      double wait = waits.next();
      try {
        RewardReply reply = ask(job, channel, last);
        reply.seconds = duration<double>(RewardClock::now() - start).count();
        return reply;
      } catch (const AskLater& error) {
        why = error.what();
        wait = std::max(wait, error.seconds());
      } catch (const TransientRewardError& error) {
        why = error.what();
      } catch (const ProgramEnded& error) {
        why = error.what();
        again = attempt < kProgramAttempts;
      }
      channel.reset();
      if (!again || RewardClock::now() + seconds(wait) >= last)
        throw std::runtime_error(give_up(why, attempt, start, job));
      log_warning(
          "rewards from {}: {}; attempt {} follows in {:.1f} s",
          source_.place_,
          why,
          attempt + 1,
          wait);
      pause(wait, *job.batch);
    }
  }

  RewardReply ask(Job& job, Channel& channel, RewardClock::time_point last) {
    const RewardCall& call = job.call;
    const std::atomic<bool>& over = job.batch->over;
    if (!channel) channel = open(last, over);
    const bool logs = options().log_calls;
    if (logs) {
      log_info("rewards from {}: call {}", source_.place_, request_text(call));
    }
    const auto deadline =
        std::min(last, RewardClock::now() + seconds(options().timeout));
    RewardReply reply = channel->ask(call, deadline, over);
    if (logs) log_info("rewards from {}: {}", source_.place_, text_of(reply));
    for (const auto& [output, about] : source_.outputs_)
      check_count(output, reply, call.rows());
    return reply;
  }

  static void check_count(
      const std::string& output, const RewardReply& reply, std::size_t rows) {
    const auto found = reply.rewards.find(output);
    if (found == reply.rewards.end()) {
      throw std::runtime_error(
          output.empty() ? "the answer holds no list of rewards; where it "
                           "holds them by name, say with `name` which"
                         : "the answer holds no rewards '" + output + "'");
    }
    if (found->second.size() == rows) return;
    throw std::runtime_error(fmt::format(
        "the answer holds {} rewards for {} completions",
        found->second.size(),
        rows));
  }

  std::string give_up(
      const std::string& why,
      int attempts,
      RewardClock::time_point start,
      const Job& job) const {
    const double spent = duration<double>(RewardClock::now() - start).count();
    const bool step =
        start + seconds(options().call_deadline) > job.batch->deadline;
    return fmt::format(
        "{}; gave up after {} attempt{} in {:.1f} s ({} is {:g} s)",
        why,
        attempts,
        attempts == 1 ? "" : "s",
        spent,
        step ? "step_deadline" : "call_deadline",
        step ? options().step_deadline : options().call_deadline);
  }

  void pause(double wait, const SourceBatch& batch) {
    constexpr std::chrono::milliseconds kLook{100};
    const auto until = RewardClock::now() + seconds(wait);
    std::unique_lock lock(mutex_);
    while (!stopped_ && !batch.over && RewardClock::now() < until)
      changed_.wait_for(lock, kLook);
  }

  const SourceOptions& options() const { return source_.options_; }

  const RewardSource& source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::weak_ptr<SourceBatch>> batches_;  // with calls
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> threads_;
};

RewardSource::RewardSource(
    std::string place, SourceOptions options, OpenChannel open)
    : place_(std::move(place)),
      options_(options),
      open_(std::move(open)),
      workers_(std::make_unique<Workers>(*this)) {}

RewardSource::~RewardSource() = default;

void RewardSource::add_output(
    const std::string& name, nlohmann::json about) const {
  outputs_[name] = std::move(about);
}

void RewardSource::start() const {
  workers_->start();
}

void RewardSource::check() const {
  const std::atomic<bool> stopped = false;
  const auto deadline = RewardClock::now() + seconds(options_.call_deadline);
  try {
    if (!checked_) checked_ = open_(outputs_, deadline, stopped);
  } catch (const CallerError&) {
    throw;
  } catch (const std::exception& error) {
    throw_caller_error("rewards from {}: {}", place_, error.what());
  }
}

std::future<RewardReply> RewardSource::submit(
    RewardCall call, std::shared_ptr<SourceBatch> batch) const {
  call.id = next_id_++;
  return workers_->add(std::move(call), std::move(batch));
}

}  // namespace moft
