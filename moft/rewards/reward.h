// A reward: completions in, one number each out.
//
// score() is the door: it checks the batch, calls the kind's compute(), and
// checks what came back. A number that is not finite, or a compute() that
// throws, stops the run with the reward's name and the offending text; a
// failure must never turn into a 0 that training then optimises.
//
// Thread safety: score() may be called from several threads at once; a kind
// that keeps a cache guards it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "moft/data/example.h"

namespace moft {

// `rows` answers; every list has one entry per row.
struct RewardBatch {
  std::vector<std::string> prompts;        // as the model saw them
  std::vector<std::string> completions;    // decoded, without special tokens
  std::vector<std::int64_t> token_counts;  // of the completion, end token
                                           // excluded
  std::vector<const Example*> examples;    // not owned, never null

  std::size_t rows() const { return completions.size(); }
};

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

class Reward;

// What has been computed for one batch, so that two objectives (or an
// objective and a gate) that share a reward pay for it once. Make one per
// batch; one thread.
class RewardMemo {
 public:
  std::map<const Reward*, std::vector<double>> values;
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

  // One finite number per row. Throws CallerError for a batch whose lists
  // differ in length, and as the kind says (an example without the field it
  // reads); WorldError naming the reward, prompt and completion (shortened)
  // when compute() throws or gives a number that is not finite.
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
