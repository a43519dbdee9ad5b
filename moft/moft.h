// What most programs that use moft need (docs/library.md).
#pragma once

#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/version.h"
#include "moft/data/example.h"
#include "moft/evaluation/evaluate.h"
#include "moft/generation/steered_policy.h"
#include "moft/recipes/data_parts.h"
#include "moft/recipes/recipe.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/reward_context.h"
#include "moft/training/online.h"
#include "moft/training/run.h"
#include "moft/weightings/weighting.h"
