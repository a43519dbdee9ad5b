// Oracles of what a policy is made of, in docs/paper.md's rows.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

// Rows 44 to 51 and 53: the generator, f_mix and its inverse, draws of alpha
// and of weightings.
void verify_sampling(OracleBook& book);
// Rows 25, 26, 30: merges of copies and reference by equation 3.
void verify_conditioning(OracleBook& book);
// Rows 62 to 64: Adafactor, advantages.
void verify_optimizer(OracleBook& book);
// Rows 28, 40 to 42 and 68: the size of a policy, the words that name a
// weighting, the ranges of rewards.
void verify_policies(OracleBook& book);
// ENUM-1 with real models of both families: what holds before any training.
void verify_enum_policy(OracleBook& book);

}  // namespace moft::exact
