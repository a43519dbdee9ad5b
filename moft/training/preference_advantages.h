// Preference optimisation from the policy's own samples (training.algorithm:
// online_dpo): every pair of completions of a prompt, preferred by their
// rewards under the prompt's weighting.
//
// The gradient of DPO's loss is REINFORCE's with other advantages
// (algorithms/preferences.h: row_advantages), so a step of it is an online step
// in which these are in the place of line 6 of CLP's algorithm 1.
//
// Errors: CallerError for a KL strength that has no beta.
// Thread safety: one thread.
#pragma once

#include <map>
#include <string>

#include "moft/training/experience.h"
#include "moft/training/training_options.h"

namespace moft {

// Replaces experience.advantages.advantage by DPO's, times the number of rows
// kept, by which whole_batch() divides. The other fields, as make_advantages()
// left them, stay: they are reported. Of a cut-off completion the missing end's
// penalty counts off every mapped reward, over 1 - alpha. Adds the metrics of
// PreferenceFigures. Reads options.online_dpo and missing_eos_penalty.
void add_preference_advantages(
    Experience& experience,
    const TrainingOptions& options,
    std::map<std::string, double>& metrics);

}  // namespace moft
