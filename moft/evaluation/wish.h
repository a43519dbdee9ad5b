// From a wish to a setting of the knob: "relevance>=0.6 with least KL".
//
// A wish is a list of bounds on mean rewards (mapped [0, 1] units) and on the
// KL (nats per completion), and one quantity to minimise or maximise. It is
// answered by one of the measured points of a front: of the points whose means
// meet every bound, the best by the goal. The point is chosen on the first half
// of the first partition of cross_fit.h and its rewards are estimated on the
// second half, so that the choice does not flatter them: no number of the
// second half can change the choice.
//
// Where no point meets the bounds, the answer is the nearest miss: the point
// whose largest shortfall is smallest, a shortfall counted in units of the
// quantity's range over the front (largest minus smallest mean of the points),
// so that rewards and KL can be compared.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "moft/evaluation/bootstrap.h"
#include "moft/evaluation/front.h"

namespace moft {

// What a wish calls the KL; an objective of this name cannot be addressed.
inline constexpr const char* kKlName = "kl";

// mean(name) >= bound, or <= bound.
struct Want {
  std::string name;  // an objective, or "kl"
  bool at_least = true;
  double bound = 0;
};

struct Goal {
  std::string name = kKlName;
  bool maximise = false;
};

struct Wish {
  std::vector<Want> wants;  // all of them; may be empty
  Goal goal;
};

// "relevance>=0.6", "kl <= 5"; blanks around names and numbers are allowed.
// CallerError beginning with `place` for another form, a number that is not
// finite, or a name that is neither an objective nor kl.
Want parse_want(
    std::string_view text,
    const std::vector<std::string>& objectives,
    const std::string& place = "--want");
// CallerError unless `name` is an objective or kl.
void check_wish_name(
    const std::string& name,
    const std::vector<std::string>& objectives,
    const std::string& place);

// "relevance >= 0.6"; "relevance >= 0.6, least kl".
std::string want_text(const Want& want);
std::string wish_text(const Wish& wish);

// What the prompts of the second half say of one bound of the chosen point.
enum class Verdict {
  kHolds,   // the whole interval meets it
  kMeets,   // the mean does, part of the interval does not
  kMisses,  // the mean does not, part of the interval does
  kFails,   // the whole interval does not
};
const char* verdict_text(Verdict verdict);

struct WishAnswer {
  Wish wish;
  std::size_t point = 0;        // of Report::points
  bool met = false;             // by the means of the first half
  std::vector<double> lacks;    // shortfalls there, 0 where met, [wants]
  IntervalByObjective rewards;  // on the second half
  Interval kl;
  std::vector<Verdict> verdicts;  // on the second half, [wants]
  std::size_t chosen_on = 0;      // prompts of the halves
  std::size_t scored_on = 0;
};

// Needs the points' weights, alpha and per_prompt. Of equally good points the
// first in the order of the knob is chosen. CallerError for fewer than 2
// prompts, for points whose prompts disagree, and for unknown names.
WishAnswer answer_wish(
    const Report& report,
    const Wish& wish,
    const BootstrapOptions& options = {});

// Five wishes that a reader may have of this front, with bounds from the means
// of the first half, rounded to three digits. Two objectives: the best of each,
// half the range of all with least KL, half the KL with the most of the
// first, half the range of the first with the most of the second. None where a
// wish cannot be answered: no points or fewer than 2 prompts.
std::vector<Wish> example_wishes(const Report& report);
std::vector<WishAnswer> answer_examples(
    const Report& report, const BootstrapOptions& options = {});

}  // namespace moft
