// Honest remarks computed from a complete report: what a reader should know
// before trusting the figures. Plain text, one sentence or two each; a remark
// that begins with "Warning:" is shown loudly.
//
// Thread safety: pure.
#pragma once

#include <string>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

struct NoteOptions {
  double copied = 0.10;    // remark from this share of copying answers
  double distinct = 0.80;  // remark below this share
  double finished = 0.80;
  double diagonal = 0.80;  // weightings served best by their own point
  // And only when the knob regret is above this and its interval above 0.
  double regret = 0.005;
  std::size_t prompts = 30;
  // An objective moves when its reach exceeds this many paired standard errors.
  double standard_errors = 2;
};

// In this order: does it steer, by weight and by alpha; steps back; value
// against the reference; against each baseline; misplaced knob; copying;
// echoes; repeated answers; unfinished answers; few prompts; prompts that are
// for choosing.
std::vector<std::string> automatic_notes(
    const Report& report, const NoteOptions& options = {});

// Objectives whose reward at the knob's upper end (knob_value: the highest own
// weight; the lowest alpha of a single objective) is not above the one at its
// lower end by more than noise. All of them: the policy does not steer.
std::vector<std::string> objectives_not_moved(
    const Report& report, double standard_errors = 2);

}  // namespace moft
