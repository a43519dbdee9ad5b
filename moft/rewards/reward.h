// A reward: completions in, one number each out.
//
// score() is the door: it checks the batch, calls the kind's compute(), and
// checks what came back. A number that is not finite, or a compute() that
// throws, stops the run with the reward's name and the offending text; a
// failure must never turn into a 0 that training then optimises.
//
// A kind whose numbers come from outside this process names its RewardSource:
// ObjectiveSet then sends the rows out as they arrive, and compute() waits.
//
// Thread safety: score() may be called from several threads at once; a kind
// that keeps a cache guards it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "moft/data/chat_prompt.h"
#include "moft/data/example.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// `rows` answers; every list has one entry per row, those of the second block
// one or none.
struct RewardBatch {
  std::vector<std::string> prompts;        // as the model saw them
  std::vector<std::string> completions;    // decoded, without special tokens
  std::vector<std::int64_t> token_counts;  // of the completion, end token
                                           // excluded
  std::vector<const Example*> examples;    // not owned, never null

  // For rewards outside the process.
  std::vector<std::vector<TokenId>> completion_ids = {};  // end token included
  std::vector<std::string> raw_completions = {};          // with special tokens
  // The prompts as dialogues; null for one that is a text.
  std::vector<std::shared_ptr<const ChatTurns>> turns = {};
  // Rows of one prompt have one number and follow one another; none: those of
  // one example do.
  std::vector<std::size_t> groups = {};
  std::int64_t step = 0;  // of the training, counted from 0
  std::int64_t max_steps = 0;

  std::size_t rows() const { return completions.size(); }
};

// What is said of each row in words; "" where nothing is. [rows]
using RowTexts = std::vector<std::string>;

// A failure that may pass (a busy server, a lost connection): compute() is
// tried again. Anything else that is thrown is final.
class TransientRewardError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A failure that one row caused.
class RewardRowError : public std::runtime_error {
 public:
  RewardRowError(std::size_t row, const std::string& message)
      : std::runtime_error(message), row_(row) {}
  std::size_t row() const { return row_; }

 private:
  std::size_t row_;
};

// The wait for rewards from outside was ended on request.
class WaitStopped : public std::runtime_error {
 public:
  WaitStopped() : std::runtime_error("stopped while waiting for rewards") {}
};

class Reward;
class RewardSource;
class SourceCalls;

// What has been computed, or sent out, for one batch, so that two objectives
// (or an objective and a gate) that share a reward pay for it once. Make one
// per batch; one thread.
class RewardMemo {
 public:
  std::map<const Reward*, std::vector<double>> values;
  std::map<const RewardSource*, std::shared_ptr<SourceCalls>> calls;
  // Asked ten times a second while rewards from outside are waited for; true:
  // the wait ends with WaitStopped. May be null.
  std::function<bool()> stop_requested;
};

class Reward {
 public:
  // Attempts of compute() in all while it fails transiently.
  static constexpr int kAttempts = 3;

  // `name` appears in messages: the objective it was made for.
  explicit Reward(std::string name) : name_(std::move(name)) {}
  virtual ~Reward() = default;
  Reward(const Reward&) = delete;
  Reward& operator=(const Reward&) = delete;

  const std::string& name() const { return name_; }

  // Where its numbers come from; null: compute() computes them.
  virtual const RewardSource* source() const { return nullptr; }
  // Rewards that compute() asks for the same rows.
  virtual std::vector<const Reward*> asks() const { return {}; }
  // A row may have no reward (NaN): it is left out of the update.
  virtual bool may_be_missing() const { return false; }

  // One number per row, finite unless it may be missing. CallerError for a
  // batch whose lists differ in length, and as the kind says; WorldError
  // naming the reward, prompt and completion (shortened) when compute() throws
  // or gives a number that is not finite.
  std::vector<double> score(const RewardBatch& batch) const;
  // The same; looks the answer up in `memo` first and leaves it there.
  const std::vector<double>& score(
      const RewardBatch& batch, RewardMemo& memo) const;

 protected:
  // One number per row. `memo` is for asking other rewards.
  virtual std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const = 0;

 private:
  std::vector<double> attempt(const RewardBatch& batch, RewardMemo& memo) const;

  std::string name_;
};

// True for text in which nothing can be seen, white space and invisible
// characters alone: no answer was given.
bool is_empty_answer(const std::string& completion);

}  // namespace moft
