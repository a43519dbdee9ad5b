// Oracles of training: what methods must reach on tasks whose answers are
// known. scripts/verify_trained runs them all.
#pragma once

#include "verify/oracle.h"

namespace moft::exact {

// The counterexample from samples and with small networks; toy fronts by exact
// gradients; toys on other weightings. About a minute together.
void verify_counterexample_training(OracleBook& book);
void verify_front_toys(OracleBook& book);
void verify_weighting_toys(OracleBook& book);
// The production loop on ENUM-1, real models: its samples and gradients
// against enumeration, and what trained policies reach. Many minutes.
void verify_enum_loop(OracleBook& book);
void verify_enum_training(OracleBook& book);
// The same of every algorithm (training.algorithm).
void verify_enum_algorithms(OracleBook& book);

}  // namespace moft::exact
