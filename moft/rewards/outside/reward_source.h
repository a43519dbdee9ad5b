// Rewards that are computed outside this process: by Python functions, by any
// program that speaks lines, by a server.
//
// A source takes calls (the rows of one prompt, one row, or a whole step) and
// gives an answer for each later. Workers, a thread each, take the calls in
// the order they came; each has a channel of its own: a process, a connection.
// What a kind adds is its channel.
//
// A worker repeats a call that failed transiently, after growing waits, until
// the call's deadline or the step's. A call that fails for good ends all others
// of its batch, under way or not, so that a run stops at once; so does whoever
// waits no more.
//
// Thread safety: all const functions, from any thread. A channel is used by
// one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/rewards/outside/source_options.h"
#include "moft/rewards/reward.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

using RewardClock = std::chrono::steady_clock;

// Rows that are asked about together; every list has one entry per row.
struct RewardCall {
  std::int64_t id = 0;  // of the source, rising
  std::int64_t step = 0;
  std::int64_t max_steps = 0;
  std::vector<std::string> prompts;
  std::vector<std::string> completions;
  std::vector<std::string> raw_completions;  // with special tokens
  std::vector<std::vector<TokenId>> completion_ids;
  // The prompts as chat messages, each a list of objects; none: texts.
  std::vector<nlohmann::json> messages;
  // Every field of the examples but `prompt` and `completion`, one list each.
  nlohmann::json columns = nlohmann::json::object();

  std::size_t rows() const { return completions.size(); }
};

// None: null. It may be a number that is not finite.
using RewardValue = std::optional<double>;

struct RewardReply {
  // By output; a value for each row.
  std::map<std::string, std::vector<RewardValue>> rewards;
  std::map<std::string, double> metrics;
  std::map<std::string, RowTexts> texts;  // by name
  double seconds = 0.0;  // from the first attempt to the answer
};

// What a source computes: names, each with what the channel must know of it.
using SourceOutputs = std::map<std::string, nlohmann::json>;

class RewardChannel {
 public:
  virtual ~RewardChannel() = default;

  // Waits for the answer, at most until `deadline` and while not `stopped`.
  // Throws TransientRewardError for what may pass, RewardRowError (a row of
  // the call) and other exceptions for what does not. After an exception the
  // channel is dropped.
  virtual RewardReply ask(
      const RewardCall& call,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped) = 0;
};

// What the calls of one batch have in common.
struct SourceBatch {
  RewardClock::time_point deadline;
  std::atomic<bool> over = false;  // nobody waits any more: calls end
};

// A call that was given up: another one failed, or nobody waits any more.
class GivenUp : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A server that says when to ask again.
class AskLater : public TransientRewardError {
 public:
  AskLater(const std::string& message, double seconds)
      : TransientRewardError(message), seconds_(seconds) {}
  double seconds() const { return seconds_; }

 private:
  double seconds_;
};

// A program that ended before it answered: a call is tried kProgramAttempts
// times in all.
class ProgramEnded : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
inline constexpr int kProgramAttempts = 3;

class RewardSource {
 public:
  using OpenChannel = std::function<std::unique_ptr<RewardChannel>(
      const SourceOutputs& outputs,
      RewardClock::time_point deadline,
      const std::atomic<bool>& stopped)>;

  // `place` names it in messages: "my_rewards.py", a URL without secrets.
  RewardSource(std::string place, SourceOptions options, OpenChannel open);
  // Gives up what is under way.
  ~RewardSource();
  RewardSource(const RewardSource&) = delete;
  RewardSource& operator=(const RewardSource&) = delete;

  const std::string& place() const { return place_; }
  const SourceOptions& options() const { return options_; }

  // REQUIRES nothing has been asked yet.
  void add_output(const std::string& name, nlohmann::json about) const;

  // Begins to open the workers' channels; a fault shows in the first call.
  void start() const;
  // Opens a channel, which the first worker gets. CallerError when it cannot.
  void check() const;

  // Returns at once. The future has the reply, or the exception.
  std::future<RewardReply> submit(
      RewardCall call, std::shared_ptr<SourceBatch> batch) const;

 private:
  class Workers;

  std::string place_;
  SourceOptions options_;
  OpenChannel open_;
  mutable SourceOutputs outputs_;
  mutable std::unique_ptr<RewardChannel> checked_;
  mutable std::atomic<std::int64_t> next_id_ = 1;
  std::unique_ptr<Workers> workers_;
};

}  // namespace moft
