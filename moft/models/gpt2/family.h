// GPT-2 in the table of reward models.
#pragma once

#include "moft/models/score_heads.h"

namespace moft::gpt2 {

ScoreFamily score_family();

}  // namespace moft::gpt2
