// Pairwise judging: the win rule of arXiv 2407.15762, section 4.3 and D.1, and
// the statistics of a win rate.
//
// Each of two questions (conciseness, quality) is asked twice, with the two
// summaries swapped; a question counts for a side only when both orders agree.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace moft {

enum class QuestionOutcome { kFirst, kSecond, kInconsistent };
enum class Win { kFirst, kSecond, kTie };

// The judge's answers ("SUMMARY1" or "SUMMARY2"; anything else is unparsable)
// for the order (A, B) and for the order (B, A).
QuestionOutcome question_outcome(
    std::string_view in_order, std::string_view swapped);

// A side wins with both questions, or with one while the other is
// inconsistent; opposite or two inconsistent answers tie.
Win article_winner(QuestionOutcome conciseness, QuestionOutcome quality);

// Exact two-sided binomial test of wins against losses (ties dropped): the
// p-value under equal chances. 1 when there are none.
double sign_test(std::size_t wins, std::size_t losses);

struct Proportion {
  double low = 0;
  double high = 0;
};

// Wilson's interval for `successes` of `trials`, `z` standard normal units.
Proportion wilson_interval(
    std::size_t successes, std::size_t trials, double z = 1.959963984540054);

// A judge that prefers the first place with probability `bias`, whatever it
// reads: what the win rule makes of it.
struct NullJudge {
  double consistent = 0;    // one question counts for A
  double inconsistent = 0;  // one question counts for nobody
  double win = 0;           // the article goes to A (and as often to B)
};
NullJudge null_judge(double bias);

}  // namespace moft
