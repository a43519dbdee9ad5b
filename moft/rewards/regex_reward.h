// The reward kind `regex`: for answers in which a regular expression is (or is
// not) found.
#pragma once

#include "moft/core/fields.h"
#include "moft/core/pattern.h"
#include "moft/rewards/reward.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

// 1 where the pattern (PCRE2, UTF-8) is found in the completion, else 0.
struct RegexOptions {
  std::string pattern;
  bool ignore_case = false;
  bool invert = false;

  template <class V>
  void fields(V& v) {
    v("pattern",
      pattern,
      Help{"the regular expression looked for, in PCRE2's syntax"},
      Required{});
    v("ignore_case", ignore_case, Help{"letters match in either case"});
    v("invert", invert, Help{"1 where the pattern is not found"});
  }
};

// 1 or 0. PCRE2's syntax with UTF-8 and Unicode classes; bytes that are not
// UTF-8 match nothing. A match that explodes on an answer (PCRE2's match
// limit) is a WorldError naming it.
class RegexReward : public Reward {
 public:
  // Throws CallerError with the offset for a pattern that does not compile.
  RegexReward(std::string name, const RegexOptions& options);

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  bool is_found(const std::string& text, std::size_t row) const;

  Pattern pattern_;
  bool invert_;
};

RewardKind regex_kind();

}  // namespace moft
