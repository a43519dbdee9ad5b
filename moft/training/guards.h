// Stops a run that has gone wrong: a KL above the ceiling, or completions that
// have become all alike, for `patience` steps in a row. Non-finite losses,
// gradients and rewards stop a run where they arise (algorithms/clip.h,
// rewards/reward.h).
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "moft/training/training_options.h"

namespace moft {

// Steps in a row, up to now, in which each guard was broken.
struct GuardState {
  std::int64_t kl_steps = 0;
  std::int64_t collapse_steps = 0;
};

class Guards {
 public:
  explicit Guards(const GuardOptions& options, const GuardState& state = {})
      : options_(options), state_(state) {}

  // Looks at a step's `kl` and `completions/distinct_ratio`, where it has them.
  // Returns what is wrong, with the figure, once a guard has been broken for
  // long enough.
  std::optional<std::string> check(
      const std::map<std::string, double>& metrics);

  const GuardState& state() const { return state_; }
  // A guard was broken in the last step.
  bool alarmed() const {
    return state_.kl_steps > 0 || state_.collapse_steps > 0;
  }
  // Which one, with its figure; none when no guard was broken.
  std::optional<std::string> alarm() const;

 private:
  GuardOptions options_;
  GuardState state_;
  bool seen_ = false;  // the last step itself, not its state alone
  double kl_ = 0.0;
  double distinct_ = 0.0;
};

// Warns when `frac_reward_zero_std` is 1, that is when all completions of each
// prompt got the same reward: in the first such step, the tenth in a row, the
// hundredth and so on.
class TieNotes {
 public:
  void note(std::int64_t step, const std::map<std::string, double>& metrics);

 private:
  std::int64_t steps_ = 0;  // in a row, up to now
};

}  // namespace moft
