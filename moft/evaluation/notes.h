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
  double regret = 0.005;   // and only above this knob regret
  std::size_t prompts = 30;
  // An objective moves when its reach exceeds this many paired standard errors.
  double standard_errors = 2;
};

// In this order: does it steer; steps back; value against the reference;
// against each baseline; misplaced knob; copying; repeated answers; unfinished
// answers; few prompts.
std::vector<std::string> automatic_notes(
    const Report& report, const NoteOptions& options = {});

// Objectives whose reward at the highest own weight is not above the one at
// the lowest by more than noise. All of them: the policy does not steer.
std::vector<std::string> objectives_not_moved(
    const Report& report, double standard_errors = 2);

}  // namespace moft
