// What a finished step reports: metrics and samples.
//
// Thread safety: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "moft/algorithms/policy_loss.h"
#include "moft/training/experience.h"
#include "moft/training/token_values.h"
#include "moft/training/trainer.h"

namespace moft {

// GRPO's and PPO's: clip_ratio/*, approx_kl and ratio, means over the tokens of
// all updates; nothing where no ratio was clipped or counted.
void report_clip(
    const ClipFigures& figures, std::map<std::string, double>& metrics);

// PPO's: value/loss, value/explained_variance and value/<name>/mean, of the
// values before the step's updates.
void report_token_values(
    const TokenValues& tokens,
    const std::vector<std::string>& names,
    std::map<std::string, double>& metrics);

// Adds to result.metrics and samples; reads result.times. `names`: of the
// objectives.
void report_step(
    const Experience& experience,
    const std::vector<std::string>& names,
    StepResult& result);

}  // namespace moft
